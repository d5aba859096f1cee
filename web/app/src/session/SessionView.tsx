/** One session, or the beginning of a new one. */
import { useEffect } from "react";
import { t } from "../i18n";
import { say } from "../notices";
import { address, go, type Route } from "../route";
import { Thread } from "../thread/Thread";
import { useDraft } from "./draft";
import { Greeting } from "./Greeting";
import { DraftHead, SessionHead } from "./SessionHead";
import { useSeen } from "./seen";

export function SessionView({ route }: { route: Route }) {
  return route.id === undefined ? <NewSession route={route} /> : <OneSession id={route.id} route={route} />;
}

function NewSession({ route }: { route: Route }) {
  const draft = useDraft(route.query.get("preset"));
  useEffect(() => {
    document.title = t("app.name");
  }, []);
  return (
    <>
      <DraftHead draft={draft} />
      <Thread sessionId={undefined} start={draft.start} greeting={<Greeting draft={draft} />} />
    </>
  );
}

/** What was deleted, here or elsewhere, is left; its address leads nowhere any more. */
const GONE = ["not_found", "session_deleted"];

/** A session that is there is not begun again. */
const alreadyThere = () => Promise.resolve();

function OneSession({ id, route }: { id: string; route: Route }) {
  const [seen, see] = useSeen();
  const { connection, error } = seen;
  const isGone = connection === "refused" && GONE.includes(error?.code ?? "");
  useEffect(() => {
    if (!isGone) return;
    say({ text: t("session.gone") });
    go(address("new"), { replace: true });
  }, [isGone]);
  return (
    <>
      <SessionHead id={id} seen={seen} />
      <Thread sessionId={id} start={alreadyThere} highlight={route.query.get("message") ?? undefined} onState={see} />
    </>
  );
}
