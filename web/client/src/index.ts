/** A client of chatd for browsers and Node: typed, without dependencies, and it misses nothing. */
import { Api, type ApiOptions } from "./api.js";
import { ChatSession } from "./chat-session.js";
import { PATIENT, type Timing } from "./link.js";
import { SessionList } from "./session-list.js";

/** Where a server is, and how patient its client is. */
export interface ClientOptions extends ApiOptions {
  readonly timing?: Partial<Timing>;
}

/** One server. */
export class Chatd {
  readonly api: Api;
  readonly #timing: Timing;

  constructor(options: ClientOptions) {
    this.#timing = { ...PATIENT, ...options.timing };
    this.api = new Api({ timeout: this.#timing.request, ...options });
  }

  /** Returns a session that is not yet open. */
  session(id: string): ChatSession {
    return new ChatSession(id, this.api, this.#timing);
  }

  /** Returns the list of sessions, not yet open. */
  sessions(): SessionList {
    return new SessionList(this.api, this.#timing);
  }
}

export { Api, type ApiOptions, type Ask } from "./api.js";
export { Backoff } from "./backoff.js";
export { ChatSession } from "./chat-session.js";
export type { ChatState, Connection } from "./chat-state.js";
export { ChatdError } from "./errors.js";
export { errorOf, Follower, type Step } from "./follower.js";
export { newId } from "./ids.js";
export { PATIENT, type Timing } from "./link.js";
export { begun, follow, type Running, type RunningPart, type ToolUse } from "./log.js";
export type { Turn } from "./outbox.js";
export { type ListState, SessionList } from "./session-list.js";
export { readEvents } from "./sse.js";
export { Thread } from "./thread.js";
export type * from "./wire.js";
