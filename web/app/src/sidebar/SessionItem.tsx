import type { Session } from "@chatd/client";
import { Ellipsis, Pencil, Trash2 } from "lucide-react";
import { memo, useState } from "react";
import { useHouse } from "../house";
import { t } from "../i18n";
import { address } from "../route";
import { remove, rename, titleOf } from "../session/deeds";
import { InlineEdit } from "../ui/InlineEdit";
import { Menu } from "../ui/Menu";

interface SessionItemProps {
  readonly session: Session;
  readonly isCurrent: boolean;
  readonly isRunning: boolean;
}

/** A session in the list: a link to it, and what can be done with it. */
export const SessionItem = memo(function SessionItem({ session, isCurrent, isRunning }: SessionItemProps) {
  const house = useHouse();
  const [isRenaming, setRenaming] = useState(false);
  const title = titleOf(session);
  if (isRenaming) {
    return (
      <li className="session-item">
        <InlineEdit
          className="session-edit"
          label={t("session.title")}
          value={session.title}
          onChange={(text) => void rename(house, session, text)}
          onEnd={() => setRenaming(false)}
        />
      </li>
    );
  }
  const items = [
    { label: t("session.rename"), icon: <Pencil size={16} aria-hidden />, run: () => setRenaming(true) },
    { label: t("session.delete"), icon: <Trash2 size={16} aria-hidden />, run: () => void remove(house, session), isDanger: true },
  ];
  return (
    <li className="session-item" data-running={isRunning || undefined}>
      <a
        className="session-link"
        href={address("session", session.id)}
        aria-current={isCurrent ? "page" : undefined}
        onDoubleClick={() => setRenaming(true)}
      >
        <span className="cut" title={title} dir="auto">
          {title}
        </span>
        {isRunning && <span className="running-dot" role="img" aria-label={t("sidebar.running")} />}
      </a>
      <Menu label={t("session.actions", { title })} className="icon-button icon-button-small session-menu" trigger={<Ellipsis size={16} aria-hidden />} items={items} />
    </li>
  );
});
