/** How the connection is, as it is. */
import type { Connection } from "@chatd/client";
import { useEffect, useReducer, useSyncExternalStore } from "react";
import { t } from "../i18n";
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

function words({ connection, retryAt }: ConnectionBadgeProps, isOnline: boolean): string {
  if (connection === "refused" || connection === "closed") return t(`connection.${connection}`);
  if (!isOnline) return t("connection.offline");
  if (connection !== "waiting") return t(`connection.${connection}`);
  const seconds = Math.ceil(((retryAt ?? 0) - Date.now()) / 1_000);
  return seconds > 1 ? t("connection.waiting", { seconds }) : t("connection.now");
}

/** Every connection of the page tries again when the network is said to be back. */
export function connectNow(): void {
  dispatchEvent(new Event("online"));
}

export function ConnectionBadge(props: ConnectionBadgeProps) {
  const isOnline = useIsOnline();
  const isWaiting = props.connection === "waiting";
  useSeconds(isWaiting);
  const state = isOnline || props.connection === "refused" ? props.connection : "offline";
  return (
    <span className="connection" data-state={state}>
      <span className="connection-dot" aria-hidden />
      <span className="connection-words" aria-hidden>
        {words(props, isOnline)}
      </span>
      <span className="unseen" role="status">
        {isWaiting ? t(isOnline ? "connection.now" : "connection.offline") : t(`connection.${props.connection}`)}
      </span>
      {isWaiting && (
        <button type="button" className="connection-retry" onClick={connectNow}>
          {t("connection.retry")}
        </button>
      )}
    </span>
  );
}
