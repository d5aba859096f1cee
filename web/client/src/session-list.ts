import type { Api } from "./api.js";
import type { ChatdError } from "./errors.js";
import { Link, type Receiver, type Timing } from "./link.js";
import { Observable } from "./observable.js";
import type { Connection } from "./chat-state.js";
import type { ListEvent, NewSession, Session } from "./wire.js";

/** The caller's sessions, most recent activity first, as far as they are loaded. */
export interface ListState {
  readonly connection: Connection;
  /** When the next attempt to connect is, in milliseconds of Date.now(), while `waiting`. */
  readonly retryAt?: number | undefined;
  readonly sessions: readonly Session[];
  readonly hasMore: boolean;
  readonly isLoading: boolean;
  /** Ids of sessions in which a model is answering. */
  readonly running: ReadonlySet<string>;
  readonly error?: ChatdError | undefined;
}

const BEGINNING: ListState = {
  connection: "closed",
  sessions: [],
  hasMore: false,
  isLoading: false,
  running: new Set(),
};

/** The live list of the caller's sessions: what any device does shows at once. */
export class SessionList extends Observable<ListState> implements Receiver {
  #byId = new Map<string, Session>();
  #next: string | null = null;
  readonly #link: Link;
  #isBlocked = false;

  constructor(
    private readonly api: Api,
    timing: Timing,
  ) {
    super(BEGINNING);
    const url = () => api.socketUrl("sessions/");
    this.#link = new Link(url, () => api.token, this, timing, () => {
      this.#isBlocked = true;
    });
  }

  open(): void {
    this.update({ connection: "connecting" });
    this.#link.open();
  }

  close(): void {
    this.#link.close();
    this.update({ connection: "closed" });
  }

  /** Loads the first page over REST. */
  async reload(): Promise<void> {
    const page = await this.api.sessions();
    this.#begin(page.results, page.next);
  }

  /** Loads the next page. */
  async loadMore(): Promise<void> {
    if (!this.#next || this.state.isLoading) return;
    this.update({ isLoading: true });
    try {
      const cursor = this.#next.includes("cursor=")
        ? (new URLSearchParams(this.#next.split("?")[1]).get("cursor") ?? "")
        : this.#next;
      const page = await this.api.sessions({ cursor });
      for (const session of page.results) {
        // What came by an event meanwhile is newer.
        if (!this.#byId.has(session.id)) this.#byId.set(session.id, session);
      }
      this.#next = page.next;
    } finally {
      this.update({ isLoading: false });
    }
    this.#refresh();
  }

  create(session: NewSession = {}): Promise<Session> {
    return this.api.createSession(session);
  }

  query(): Record<string, string> {
    return {};
  }

  received(data: unknown): void {
    const event = data as ListEvent;
    switch (event.type) {
      case "connection_established":
        this.#begin(event.sessions, event.next);
        this.update({ connection: "live", retryAt: undefined, running: new Set() });
        break;
      case "session_created":
      case "session_updated":
        if (event.session.is_active) this.#byId.set(event.session.id, event.session);
        else this.#byId.delete(event.session.id);
        break;
      case "session_deleted":
        this.#byId.delete(event.session.id);
        break;
      case "generation_started":
        this.update({ running: new Set([...this.state.running, event.session_id]) });
        break;
      case "generation_ended":
        this.update({
          running: new Set([...this.state.running].filter((id) => id !== event.session_id)),
        });
        break;
      default:
    }
    this.#refresh();
  }

  lost(_reason: string, retryIn: number): void {
    this.update({ connection: "waiting", retryAt: Date.now() + retryIn });
    // Where sockets are blocked, the list is loaded as often as one is tried.
    if (this.#isBlocked) this.reload().catch(() => undefined);
  }

  refused(error: ChatdError): void {
    this.update({ connection: "refused", error });
  }

  #begin(sessions: readonly Session[], next: string | null): void {
    this.#byId = new Map(sessions.map((session) => [session.id, session]));
    this.#next = next;
    this.#refresh();
  }

  #refresh(): void {
    const at = (session: Session) => session.last_message_at ?? session.created_at;
    const sessions = [...this.#byId.values()].sort((one, other) =>
      at(one) === at(other) ? (one.id < other.id ? 1 : -1) : at(one) < at(other) ? 1 : -1,
    );
    this.update({ sessions, hasMore: this.#next !== null });
  }
}
