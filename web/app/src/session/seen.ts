/** What the head of a session shows of the state of its thread. */
import type { ChatdError, ChatState, Connection, Message, Session } from "@chatd/client";
import { useCallback, useState } from "react";

export interface Tokens {
  readonly prompt: number;
  readonly completion: number;
}

export interface Seen {
  readonly connection: Connection;
  readonly retryAt?: number | undefined;
  readonly session?: Session | undefined;
  readonly error?: ChatdError | undefined;
  /** Of the messages that are loaded. */
  readonly tokens: Tokens;
  readonly isWhole: boolean;
}

const NOTHING: Seen = { connection: "closed", tokens: { prompt: 0, completion: 0 }, isWhole: false };

/** Returns what messages have cost, where the model server told. */
export function count(messages: readonly Message[]): Tokens {
  return messages.reduce(
    ({ prompt, completion }, { usage }) => ({
      prompt: prompt + (usage?.prompt_tokens ?? 0),
      completion: completion + (usage?.completion_tokens ?? 0),
    }),
    { prompt: 0, completion: 0 },
  );
}

function isSame(one: Seen, other: Seen): boolean {
  return (
    one.connection === other.connection &&
    one.retryAt === other.retryAt &&
    one.session === other.session &&
    one.error === other.error &&
    one.isWhole === other.isWhole &&
    one.tokens.prompt === other.tokens.prompt &&
    one.tokens.completion === other.tokens.completion
  );
}

/** Returns what was seen last, and what to call with each state: most of these change nothing here. */
export function useSeen(): [Seen, (state: ChatState) => void] {
  const [seen, setSeen] = useState(NOTHING);
  const see = useCallback((state: ChatState) => {
    const { connection, retryAt, session, error, messages, hasOlder } = state;
    const now = { connection, retryAt, session, error, tokens: count(messages), isWhole: !hasOlder };
    setSeen((before) => (isSame(before, now) ? before : now));
  }, []);
  return [seen, see];
}
