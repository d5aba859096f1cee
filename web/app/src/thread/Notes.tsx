/** What is to be known while one writes: who else types, what was refused, that there is no connection. */
import type { ChatSession, ChatState, TypingUser } from "@chatd/client";
import { CircleAlert, X } from "lucide-react";
import { t } from "../i18n";

export function Notes({ session, state }: { session: ChatSession; state: ChatState }) {
  const { typing, error, connection } = state;
  return (
    <div className="notes">
      {error ? (
        <div className="status" data-kind="error" role="alert">
          <CircleAlert size={16} aria-hidden />
          <span>{error.message}</span>
          {connection === "refused" ? null : (
            <button type="button" className="icon-button icon-button-small" aria-label={t("app.close")} onClick={() => session.dismiss()}>
              <X size={15} aria-hidden />
            </button>
          )}
        </div>
      ) : null}
      <p className="typing" role="status">
        {connection === "waiting" ? t("thread.offline") : who(typing)}
      </p>
    </div>
  );
}

function who(typing: readonly TypingUser[]): string {
  const names = typing.map(({ name }) => name);
  if (names.length === 0) return "";
  if (names.length === 1) return t("thread.typing", { name: names[0] ?? "" });
  return t("thread.typingMany", { count: names.length });
}
