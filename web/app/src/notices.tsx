/** What is said in passing, at the foot of the page: it goes by itself. */
import { X } from "lucide-react";
import { useEffect } from "react";
import { t } from "./i18n";
import { Store, useStore } from "./store";
import "./notices.css";

export interface Notice {
  readonly text: string;
  readonly isTrouble?: boolean;
  readonly action?: { readonly label: string; readonly run: () => void };
}

interface Shown extends Notice {
  readonly id: number;
}

const LASTS = 8_000; // milliseconds
const MOST = 3;

const notices = new Store<readonly Shown[]>([]);
let count = 0;

/** Says something, and the same once at a time; an action of it can be taken while it is there. */
export function say(notice: Notice): void {
  count += 1;
  const others = notices.value.filter(({ text, action }) => text !== notice.text || action);
  notices.set([...others.slice(1 - MOST), { ...notice, id: count }]);
}

/** Says what went wrong, in the server's words. */
export function complain(error: unknown): void {
  if ((error as { code?: string }).code === "unauthorized") return; // the sign-in says that
  say({ text: error instanceof Error ? error.message : String(error), isTrouble: true });
}

function dismiss(id: number): void {
  notices.set(notices.value.filter((notice) => notice.id !== id));
}

export function Notices() {
  const shown = useStore(notices);
  return (
    <div className="notices" role="status" aria-live="polite">
      {shown.map((notice) => (
        <OneNotice key={notice.id} notice={notice} />
      ))}
    </div>
  );
}

function OneNotice({ notice }: { notice: Shown }) {
  const { id, text, action, isTrouble } = notice;
  useEffect(() => {
    const timer = setTimeout(() => dismiss(id), LASTS);
    return () => clearTimeout(timer);
  }, [id]);
  const act = () => {
    dismiss(id);
    action?.run();
  };
  return (
    <div className="notice" data-trouble={isTrouble || undefined}>
      <span>{text}</span>
      {action && (
        <button type="button" className="notice-action" onClick={act}>
          {action.label}
        </button>
      )}
      <button type="button" className="icon-button" aria-label={t("app.close")} onClick={() => dismiss(id)}>
        <X size={16} aria-hidden />
      </button>
    </div>
  );
}
