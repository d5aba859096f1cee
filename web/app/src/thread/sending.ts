/** Sending, so that no message is lost: not by a lost connection, not by leaving or closing the page. */
import { ChatdError, type ChatSession, newId, type Turn } from "@chatd/client";
import { useCallback, useEffect } from "react";
import { takeFirst } from "../first";
import { complain } from "../notices";
import { forgetUnsent, keepUnsent, unsentOf } from "./kept";

/** Ends of a turn that say nothing about the message. */
const LEFT = new Set(["closed"]);
/** Ends after which its author does not want it back in the composer. */
const WITHDRAWN = new Set(["withdrawn", "session_deleted"]);

interface Sending {
  /** Returns false if too many wait already. */
  readonly send: (text: string) => boolean;
  readonly withdraw: (turn: Turn) => void;
}

/** Returns how to send in a session. `giveBack` gets the text of a message that was refused for good. */
export function useSending(session: ChatSession, giveBack: (text: string) => void): Sending {
  const deliver = useCallback(
    (text: string, clientId: string) => {
      const turn = session.send(text, clientId);
      keepUnsent(session.id, { text, clientId });
      turn.accepted.then(
        () => forgetUnsent(session.id, clientId),
        (error: ChatdError) => {
          if (LEFT.has(error.code)) return; // it is sent when the session is shown again
          forgetUnsent(session.id, clientId);
          if (!WITHDRAWN.has(error.code)) giveBack(text);
        },
      );
    },
    [session, giveBack],
  );
  useEffect(() => {
    const first = takeFirst(session.id);
    if (first) keepUnsent(session.id, first);
    for (const { text, clientId } of unsentOf(session.id)) deliver(text, clientId);
  }, [session, deliver]);
  const send = useCallback(
    (text: string) => {
      try {
        deliver(text, newId());
        return true;
      } catch (error) {
        complain(error);
        return false;
      }
    },
    [deliver],
  );
  const withdraw = useCallback(
    (turn: Turn) => {
      session.stop(turn);
      if (turn.text !== undefined) giveBack(turn.text);
    },
    [session, giveBack],
  );
  return { send, withdraw };
}
