/** What is done to whole sessions, wherever they are listed. */
import type { Session } from "@chatd/client";
import type { House } from "../house";
import { t } from "../i18n";
import { complain, say } from "../notices";
import { address, go, parse } from "../route";

export const titleOf = (session: Pick<Session, "title"> | undefined) => session?.title || t("session.untitled");

/** Deletes a session, and offers to take that back. */
export async function remove({ chatd }: House, session: Session): Promise<void> {
  const wasOpen = parse(location.hash).id === session.id;
  // First: its thread would tell, as of one that was deleted elsewhere.
  if (wasOpen) go(address("new"), { replace: true });
  try {
    await chatd.api.deleteSession(session.id);
  } catch (error) {
    if (wasOpen) go(address("session", session.id), { replace: true });
    return complain(error);
  }
  const undo = () => restore(chatd.api, session, wasOpen);
  say({ text: t("session.deleted", { title: titleOf(session) }), action: { label: t("session.undo"), run: undo } });
}

async function restore(api: House["chatd"]["api"], { id }: Session, open: boolean): Promise<void> {
  try {
    await api.restoreSession(id);
    if (open) go(address("session", id));
  } catch (error) {
    complain(error);
  }
}

export async function rename({ chatd }: House, { id }: Pick<Session, "id">, title: string): Promise<void> {
  await chatd.api.changeSession(id, { title }).catch(complain);
}
