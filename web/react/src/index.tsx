/** React hooks for chatd: a session and the list of sessions, live. */
import type { Chatd, ChatSession, ChatState, ListState, SessionList } from "@chatd/client";
import { createContext, type ReactNode, useContext, useEffect, useMemo, useSyncExternalStore } from "react";

const Context = createContext<Chatd | undefined>(undefined);

/** Gives the components below it a server. */
export function ChatdProvider({ client, children }: { client: Chatd; children: ReactNode }) {
  return <Context value={client}>{children}</Context>;
}

/** Returns the server of the nearest `ChatdProvider`. */
export function useChatd(): Chatd {
  const client = useContext(Context);
  if (!client) throw new Error("There is no <ChatdProvider> around this component.");
  return client;
}

/** How often a component is rendered again: at every change, or at most once in a frame of the screen. */
export interface SessionOptions {
  readonly byFrame?: boolean;
}

/**
 * Opens a session while the component is shown, and renders it again at every change. What fails at
 * the beginning is in `state.error`, like everything that is refused later.
 */
export function useChatSession(
  id: string,
  { byFrame = false }: SessionOptions = {},
): { state: ChatState; session: ChatSession } {
  const client = useChatd();
  const session = useMemo(() => client.session(id), [client, id]);
  useEffect(() => {
    session.open().catch(() => undefined); // it is in the state
    return () => session.close();
  }, [session]);
  const subscribe = useMemo(() => (byFrame ? framed(session) : session.subscribe), [session, byFrame]);
  const state = useSyncExternalStore(subscribe, () => session.state, () => session.state);
  return { state, session };
}

/** Returns a `subscribe` whose listeners are called once for all that changes within a frame. */
function framed(session: ChatSession): ChatSession["subscribe"] {
  return (listener) => {
    let frame: number | undefined;
    const end = session.subscribe(() => {
      frame ??= requestAnimationFrame(() => {
        frame = undefined;
        listener();
      });
    });
    return () => {
      end();
      if (frame !== undefined) cancelAnimationFrame(frame);
    };
  };
}

/** Keeps the list of sessions live while the component is shown. */
export function useSessionList(): { state: ListState; list: SessionList } {
  const client = useChatd();
  const list = useMemo(() => client.sessions(), [client]);
  useEffect(() => {
    list.open();
    return () => list.close();
  }, [list]);
  const state = useSyncExternalStore(list.subscribe, () => list.state, () => list.state);
  return { state, list };
}
