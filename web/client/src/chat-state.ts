import type { ChatdError } from "./errors.js";
import type { Running } from "./log.js";
import type { Turn } from "./outbox.js";
import type { Message, Session, TypingUser } from "./wire.js";

/** What is known of the connection; `refused` is for good, and `error` says why. */
export type Connection = "closed" | "connecting" | "live" | "waiting" | "refused";

/** Everything that a view of a session needs. It is replaced at each change, and never changed. */
export interface ChatState {
  readonly connection: Connection;
  /** When the next attempt to connect is, in milliseconds of Date.now(), while `waiting`. */
  readonly retryAt?: number | undefined;
  readonly session?: Session | undefined;
  /** The shown branch, oldest first, as far back as it is loaded. */
  readonly messages: readonly Message[];
  readonly hasOlder: boolean;
  readonly isLoading: boolean;
  /** The generation that runs, with what it has produced so far. */
  readonly running?: Running | undefined;
  /** Own turns that are not stored yet. */
  readonly pending: readonly Turn[];
  readonly typing: readonly TypingUser[];
  /** What was last refused or failed, until `dismiss`. */
  readonly error?: ChatdError | undefined;
}

/** What is known of a session before it is opened. */
export const BEGINNING: ChatState = {
  connection: "closed",
  messages: [],
  hasOlder: false,
  isLoading: false,
  pending: [],
  typing: [],
};
