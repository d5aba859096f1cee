/** Sending, so that no message is lost: not by a lost connection, not by leaving or closing the page. */
import { type ChatdError, type ChatSession, newId, type Turn } from "@chatd/client";
import { useCallback, useEffect } from "react";
import { takeFirst } from "../first";
import { complain } from "../notices";
import { forgetUnsent, keepUnsent, unsentOf } from "./kept";

/** The end of a turn whose session is not shown any more: it says nothing about the message. */
const LEFT = "closed";

/** Gives the text of a turn back to its author when it is refused for good, or withdrawn. */
export function giveBackRefused(turn: Turn, giveBack: (text: string) => void): void {
  turn.accepted.catch(({ code }: ChatdError) => {
    if (code !== LEFT && turn.text !== undefined) giveBack(turn.text);
  });
}

/** Returns how to send in a session; that returns false if too many messages wait already. */
export function useSending(
  session: ChatSession,
  giveBack: (text: string) => void,
): (text: string) => boolean {
  const deliver = useCallback(
    (text: string, clientId: string) => {
      const turn = session.send(text, clientId);
      keepUnsent(session.id, { text, clientId });
      giveBackRefused(turn, giveBack);
      turn.accepted.then(
        () => forgetUnsent(session.id, clientId),
        ({ code }: ChatdError) => {
          // It is sent when the session is shown again.
          if (code !== LEFT) forgetUnsent(session.id, clientId);
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
  return useCallback(
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
}
