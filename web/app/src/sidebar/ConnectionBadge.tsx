/** How the connection is, as it is. */
import type { Connection } from "@chatd/client";
import { useEffect, useReducer, useSyncExternalStore } from "react";
import { type PlainKey, t } from "../i18n";
import "./connection.css";

interface ConnectionBadgeProps {
  readonly connection: Connection;
  readonly retryAt?: number | undefined;
}

function subscribe(listener: () => void): () => void {
  addEventListener("online", listener);
  addEventListener("offline", listener);
  return () => {
    removeEventListener("online", listener);
    removeEventListener("offline", listener);
  };
}

const useIsOnline = () => useSyncExternalStore(subscribe, () => navigator.onLine);

/** Renders the component again every second, while `isOn`. */
function useSeconds(isOn: boolean): void {
  const [, tick] = useReducer((count: number) => count + 1, 0);
  useEffect(() => {
    if (!isOn) return undefined;
    const timer = setInterval(tick, 1_000);
    return () => clearInterval(timer);
  }, [isOn]);
}

/** What the browser says of the network explains what is missing; a connection that stands, stands. */
function isOffline({ connection }: ConnectionBadgeProps, isOnline: boolean): boolean {
  return !isOnline && (connection === "waiting" || connection === "connecting");
}

/** What is said of a connection; not each second of a wait. */
function spoken({ connection }: ConnectionBadgeProps, isOff: boolean): PlainKey {
  if (isOff) return "connection.offline";
  return connection === "waiting" ? "connection.now" : `connection.${connection}`;
}

function seconds({ connection, retryAt }: ConnectionBadgeProps): number {
  return connection === "waiting" ? Math.ceil(((retryAt ?? 0) - Date.now()) / 1_000) : 0;
}

/** Every connection of the page tries again when the network is said to be back. */
export function connectNow(): void {
  dispatchEvent(new Event("online"));
}

export function ConnectionBadge(props: ConnectionBadgeProps) {
  const isOff = isOffline(props, useIsOnline());
  const isWaiting = props.connection === "waiting";
  useSeconds(isWaiting);
  const left = isOff ? 0 : seconds(props);
  const words = t(spoken(props, isOff));
  return (
    <span className="connection" data-state={isOff ? "offline" : props.connection}>
      <span className="connection-dot" aria-hidden />
      <span className="connection-words" aria-hidden>
        {left > 1 ? t("connection.waiting", { seconds: left }) : words}
      </span>
      <span className="unseen" role="status">
        {words}
      </span>
      {isWaiting && (
        <button type="button" className="connection-retry" onClick={connectNow}>
          {t("connection.retry")}
        </button>
      )}
    </span>
  );
}
