import { Backoff } from "./backoff.js";
import { ChatdError, refusal } from "./errors.js";
import type { Command } from "./wire.js";

/** How patient a client is, all in milliseconds. */
export interface Timing {
  /** For one attempt to connect. */
  readonly connect: number;
  /** Between two questions where the session stands. */
  readonly pingEvery: number;
  /** After which a silent connection is dead. */
  readonly pongWithin: number;
  /** Between attempts: any time up to a limit that doubles from the first to the second. */
  readonly retryShortest: number;
  readonly retryLongest: number;
  /** For an answer over REST. */
  readonly request: number;
}

export const PATIENT: Timing = {
  connect: 10_000,
  pingEvery: 20_000,
  pongWithin: 10_000,
  retryShortest: 500,
  retryLongest: 30_000,
  request: 60_000,
};

/** Whom a link serves. */
export interface Receiver {
  /** The query of the next attempt's URL. */
  query(): Record<string, string>;
  received(event: unknown): void;
  /** There is no connection; the next attempt is in so many milliseconds. */
  lost(reason: string, retryIn: number): void;
  /** The server has said to stop. */
  refused(error: ChatdError): void;
}

/** What carries events: a WebSocket that is opened again, or what stands in for it. */
export interface Carrier {
  open(): void;
  close(): void;
  /** Sends a command; false without a connection: then it is dropped. */
  tell(command: Command): boolean;
  /** Connects anew: the next attempt asks for what is missing. */
  drop(): void;
}

const OPEN = 1;
/** A connection that stood so long was good: the next attempt need not wait. Milliseconds. */
const GOOD_AFTER = 5_000;
/** Attempts that never got a socket open, after which another way is tried. */
export const HOPELESS = 3;

/** Keeps one WebSocket open until it is closed, or until the server says to stop. */
export class Link implements Carrier {
  #socket: WebSocket | undefined;
  #backoff: Backoff;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isWanted = false;
  #heardAt = 0;
  #openedAt = 0;
  #unopened = 0;
  #opened = 0;

  /** `onBlocked` is called when WebSockets seem to be blocked on the way. */
  constructor(
    private readonly url: () => string,
    private readonly token: () => string | undefined,
    private readonly receiver: Receiver,
    private readonly timing: Timing,
    private readonly onBlocked?: () => void,
  ) {
    this.#backoff = new Backoff(timing.retryShortest, timing.retryLongest);
  }

  /** How many sockets were opened. */
  get opened(): number {
    return this.#opened;
  }

  open(): void {
    if (this.#isWanted) return;
    this.#isWanted = true;
    globalThis.addEventListener?.("online", this.#hurry);
    globalThis.document?.addEventListener("visibilitychange", this.#hurry);
    this.#connect();
  }

  close(): void {
    this.#isWanted = false;
    clearTimeout(this.#timer);
    globalThis.removeEventListener?.("online", this.#hurry);
    globalThis.document?.removeEventListener("visibilitychange", this.#hurry);
    this.#leave(1000);
  }

  tell(command: Command): boolean {
    if (this.#socket?.readyState !== OPEN) return false;
    this.#socket.send(JSON.stringify(command));
    return true;
  }

  drop(): void {
    if (!this.#isWanted) return;
    this.#leave(4000);
    this.#lost("The connection fell behind.");
  }

  /** The network is back, or the page is looked at: do not wait, and do not trust what slept. */
  #hurry = (): void => {
    if (globalThis.document?.visibilityState === "hidden") return;
    if (this.#socket) return this.#ask();
    this.#backoff.reset();
    clearTimeout(this.#timer);
    this.#connect();
  };

  #connect(): void {
    const token = this.token();
    const protocols = token ? ["chatd.v1", `chatd.token.${token}`] : ["chatd.v1"];
    const query = new URLSearchParams(this.receiver.query()).toString();
    const socket = new WebSocket(query ? `${this.url()}?${query}` : this.url(), protocols);
    this.#socket = socket;
    this.#openedAt = 0;
    const isMine = () => socket === this.#socket;
    this.#watch(this.timing.connect, () => this.#die("The server did not answer in time."));
    socket.onopen = () => {
      if (!isMine()) return socket.close(1000);
      this.#openedAt = Date.now();
      this.#unopened = 0;
      this.#opened += 1;
      this.#heard();
    };
    socket.onmessage = ({ data }) => {
      if (!isMine()) return;
      this.#heard();
      this.receiver.received(JSON.parse(data as string));
    };
    socket.onclose = ({ code, reason }) => {
      if (isMine()) this.#closed(code, reason);
    };
    // Node's tells of an attempt that failed by this alone.
    socket.onerror = () => {
      if (isMine() && !this.#openedAt) this.#closed(1006, "");
    };
  }

  #closed(code: number, reason: string): void {
    this.#socket = undefined;
    const error = refusal(code, reason);
    if (error) {
      this.close();
      return this.receiver.refused(error);
    }
    if (!this.#openedAt) this.#unopened += 1;
    else if (Date.now() - this.#openedAt > GOOD_AFTER) this.#backoff.reset();
    if (this.#unopened >= HOPELESS) this.onBlocked?.();
    if (this.#isWanted) this.#lost(reason || "The connection broke.");
  }

  #lost(reason: string): void {
    const delay = this.#backoff.next();
    this.#watch(delay, () => this.#connect());
    this.receiver.lost(reason, delay);
  }

  #leave(code: number): void {
    const socket = this.#socket;
    this.#socket = undefined;
    if (!socket) return;
    // A socket that is still connecting says loudly that it was closed; it closes when it is open.
    if (socket.readyState === OPEN) socket.close(code);
  }

  #die(reason: string): void {
    const socket = this.#socket;
    this.#closed(4000, reason);
    socket?.close();
  }

  #heard(): void {
    this.#heardAt = Date.now();
    this.#watch(this.timing.pingEvery, () => this.#ask());
  }

  /** Asks for the head; a connection from which nothing comes is dead. */
  #ask(): void {
    const askedAt = Date.now();
    this.tell({ type: "ping", t: askedAt });
    this.#watch(this.timing.pongWithin, () => {
      if (this.#heardAt < askedAt) this.#die("Nothing was heard from the server.");
    });
  }

  #watch(delay: number, call: () => void): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(call, delay);
  }
}
