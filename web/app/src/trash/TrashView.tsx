/** Deleted sessions: back to the list, or gone for good. */
import type { Session } from "@chatd/client";
import { RotateCcw, Trash2 } from "lucide-react";
import { useCallback, useState } from "react";
import { useHouse } from "../house";
import { ago, t } from "../i18n";
import { complain, say } from "../notices";
import { address, go } from "../route";
import { titleOf } from "../session/deeds";
import { Confirm } from "../ui/Dialog";
import { usePages, useSight } from "../ui/pages";
import { SimpleView } from "../ui/ViewHead";

export default function TrashView() {
  const { chatd } = useHouse();
  const load = useCallback((cursor?: string) => chatd.api.sessions({ is_active: false, ...(cursor ? { cursor } : {}) }), [chatd]);
  const pages = usePages(load);
  const more = useSight(pages.loadMore);
  const [purging, setPurging] = useState<Session>();
  const without = (id: string) => pages.change((items) => items.filter((item) => item.id !== id));
  const restore = (session: Session) =>
    chatd.api.restoreSession(session.id).then(() => {
      without(session.id);
      say({ text: t("session.restored", { title: titleOf(session) }), action: { label: t("trash.open"), run: () => go(address("session", session.id)) } });
    }, complain);
  const purge = ({ id }: Session) => chatd.api.deleteSession(id, { purge: true }).then(() => without(id), complain);
  return (
    <SimpleView title={t("trash.title")}>
      <p className="view-note" role="status">
        {pages.error ? (pages.error as Error).message : !pages.isLoading && t(pages.items.length ? "trash.about" : "trash.empty")}
      </p>
      {pages.items.length > 0 && (
        <ul className="rows">
          {pages.items.map((session) => (
            <Row key={session.id} session={session} onRestore={() => void restore(session)} onPurge={() => setPurging(session)} />
          ))}
        </ul>
      )}
      {pages.hasMore && <span ref={more} key={pages.items.length} />}
      {purging && (
        <Confirm title={t("trash.purgeTitle")} text={t("trash.purgeText", { title: titleOf(purging) })} action={t("trash.purge")} onClose={() => setPurging(undefined)} onConfirm={() => void purge(purging)} />
      )}
    </SimpleView>
  );
}

interface RowProps {
  readonly session: Session;
  readonly onRestore: () => void;
  readonly onPurge: () => void;
}

function Row({ session, onRestore, onPurge }: RowProps) {
  const title = titleOf(session);
  return (
    <li className="row">
      <span className="row-text">
        <span className="cut" dir="auto">{title}</span>
        <small>
          {t("trash.deleted", { ago: ago(session.updated_at) })} · {t("trash.messages", { count: session.message_count })}
        </small>
      </span>
      <button type="button" className="button button-quiet" aria-label={t("trash.restoreOf", { title })} onClick={onRestore}>
        <RotateCcw size={16} aria-hidden />
        {t("trash.restore")}
      </button>
      <button type="button" className="icon-button" aria-label={t("trash.purgeOf", { title })} title={t("trash.purge")} onClick={onPurge}>
        <Trash2 size={16} aria-hidden />
      </button>
    </li>
  );
}
