/** Above the messages: title, connection, tokens, model, and what can be done with the whole session. */
import type { Session } from "@chatd/client";
import { Ellipsis, FileDown, FileJson, SlidersHorizontal, Trash2 } from "lucide-react";
import { useEffect, useState } from "react";
import { type House, useHouse, useList } from "../house";
import { t } from "../i18n";
import { complain } from "../notices";
import { ConnectionBadge } from "../sidebar/ConnectionBadge";
import { InlineEdit } from "../ui/InlineEdit";
import { Menu } from "../ui/Menu";
import { ViewHead } from "../ui/ViewHead";
import { remove, rename, titleOf } from "./deeds";
import type { Draft } from "./draft";
import { download } from "./export";
import { ModelPicker } from "./ModelPicker";
import { SessionSettings } from "./SessionSettings";
import type { Seen } from "./seen";
import "./session-head.css";

export function DraftHead({ draft }: { draft: Draft }) {
  return (
    <ViewHead>
      <h1 className="unseen">{t("session.new")}</h1>
      <ModelPicker value={draft.model} onChange={draft.setModel} />
    </ViewHead>
  );
}

export function SessionHead({ id, seen }: { id: string; seen: Seen }) {
  const { chatd } = useHouse();
  const { sessions } = useList();
  // Until its own state is here the list may know it.
  const session = seen.session ?? sessions.find((one) => one.id === id);
  const title = session && titleOf(session);
  useEffect(() => {
    document.title = title ? `${title} · chatd` : "chatd";
  }, [title]);
  const setModel = (model: string | null) => chatd.api.changeSession(id, { model }).catch(complain);
  return (
    <ViewHead>
      <Title session={session} />
      {seen.session && seen.connection !== "live" && seen.connection !== "closed" && (
        <ConnectionBadge connection={seen.connection} retryAt={seen.retryAt} />
      )}
      <TokenCount seen={seen} />
      {session && <ModelPicker value={session.model} onChange={setModel} />}
      {session && <SessionMenu session={session} />}
    </ViewHead>
  );
}

function Title({ session }: { session: Session | undefined }) {
  const house = useHouse();
  const [isRenaming, setRenaming] = useState(false);
  if (session && isRenaming) {
    return (
      <InlineEdit className="title-edit" label={t("session.title")} value={session.title} onChange={(text) => void rename(house, session, text)} onEnd={() => setRenaming(false)} />
    );
  }
  return (
    <h1 className="session-title">
      {session && (
        <button type="button" className="cut" title={t("session.rename")} dir="auto" onClick={() => setRenaming(true)}>
          {titleOf(session)}
        </button>
      )}
    </h1>
  );
}

function TokenCount({ seen: { tokens, isWhole } }: { seen: Seen }) {
  const count = tokens.prompt + tokens.completion;
  if (!count) return null;
  const hint = t("session.tokensHint", { prompt: tokens.prompt, completion: tokens.completion });
  return (
    <span className="token-count" title={hint}>
      {isWhole ? t("session.tokens", { count }) : t("session.tokensAtLeast", { tokens: count })}
    </span>
  );
}

function SessionMenu({ session }: { session: Session }) {
  const house = useHouse();
  const [open, setOpen] = useState<"settings">();
  return (
    <>
      <Menu label={t("session.menu")} trigger={<Ellipsis size={18} aria-hidden />} items={actions(house, session, setOpen)} />
      {open === "settings" && <SessionSettings session={session} onClose={() => setOpen(undefined)} />}
    </>
  );
}

function actions(house: House, session: Session, open: (what: "settings") => void) {
  const { api } = house.chatd;
  return [
    { label: t("session.settings"), icon: <SlidersHorizontal size={16} aria-hidden />, run: () => open("settings") },
    { label: t("session.exportMarkdown"), icon: <FileDown size={16} aria-hidden />, run: () => void download(api, session, "markdown") },
    { label: t("session.exportJson"), icon: <FileJson size={16} aria-hidden />, run: () => void download(api, session, "json") },
    { label: t("session.delete"), icon: <Trash2 size={16} aria-hidden />, run: () => void remove(house, session), isDanger: true },
  ];
}
