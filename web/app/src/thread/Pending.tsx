/** Turns that the server is not known to have yet. */
import type { Connection, Turn } from "@chatd/client";
import { Clock, RefreshCw } from "lucide-react";
import { t } from "../i18n";
import { Bubble } from "./Bubble";

interface Props {
  readonly turns: readonly Turn[];
  readonly connection: Connection;
  readonly isRunning: boolean;
  readonly onWithdraw: (turn: Turn) => void;
}

export function Pending({ turns, connection, isRunning, onWithdraw }: Props) {
  return turns.map((turn, at) => {
    const isNext = at === 0 && !isRunning;
    return (
      <article key={turn.clientId} className="message message-user" aria-label={t("thread.from.user")}>
        {turn.text === undefined ? <Again /> : <Bubble text={turn.text} isPending />}
        <footer className="pending">
          <Clock size={13} aria-hidden />
          <span>{reason(connection, isNext)}</span>
          {connection === "live" && isNext ? null : (
            <button type="button" className="status-action" onClick={() => onWithdraw(turn)}>
              {t("thread.withdraw")}
            </button>
          )}
        </footer>
      </article>
    );
  });
}

function Again() {
  return (
    <p className="status">
      <RefreshCw size={15} aria-hidden />
      <span>{t("thread.asksAgain")}</span>
    </p>
  );
}

function reason(connection: Connection, isNext: boolean): string {
  if (connection !== "live") return t("thread.waitsForConnection");
  return t(isNext ? "thread.sending" : "thread.waitsForAnswer");
}
