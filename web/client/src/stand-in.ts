import { type Api, newest } from "./api.js";
import { ChatdError } from "./errors.js";
import type { Follower } from "./follower.js";
import type { Carrier, Receiver } from "./link.js";
import type { Backoff } from "./backoff.js";
import { readEvents } from "./sse.js";
import type { Command, Message, ResumeCommand, TurnAccepted, TurnCommand } from "./wire.js";

/** How often what others do in the session is looked for, in milliseconds. */
const LOOK_EVERY = 5_000;

/**
 * Sockets were perhaps never blocked, and there was just no server. `onLost` is called when it was not
 * reached and it is time to try again; `onReached` when it was, and returns whether a socket is tried.
 */
export interface Calls {
  onLost(): void;
  onReached(): boolean;
}

/**
 * What stands in for a socket where WebSockets are blocked: commands go by REST, a running generation
 * comes by SSE, and what else happens is looked for every few seconds. It speaks the socket's events,
 * so that nobody else need know.
 */
export class StandIn implements Carrier {
  readonly #abort = new AbortController();
  #isLive = false;
  #isWaiting = false;
  #streaming: string | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly sessionId: string,
    private readonly api: Api,
    private readonly follower: Follower,
    private readonly receiver: Receiver,
    private readonly backoff: Backoff,
    private readonly calls: Calls,
  ) {}

  open(): void {
    globalThis.addEventListener?.("online", this.#hurry);
    globalThis.document?.addEventListener("visibilitychange", this.#hurry);
    void this.#connect();
  }

  close(): void {
    this.#isLive = false;
    this.#isWaiting = false;
    clearTimeout(this.#timer);
    globalThis.removeEventListener?.("online", this.#hurry);
    globalThis.document?.removeEventListener("visibilitychange", this.#hurry);
    this.#abort.abort();
  }

  /** The network is back, or the page is looked at: do not wait. */
  #hurry = (): void => {
    if (globalThis.document?.visibilityState === "hidden") return;
    if (this.#isLive) void this.#look();
    else if (this.#isWaiting) this.#again();
  };

  #again(): void {
    this.close();
    this.calls.onLost();
  }

  drop(): void {
    if (this.#isLive) void this.#look();
  }

  tell(command: Command): boolean {
    if (!this.#isLive) return false;
    switch (command.type) {
      case "send_message":
      case "regenerate":
      case "edit_message":
        void this.#turn(command as TurnCommand);
        return true;
      case "stop_generation":
        void this.#stop(command.generation_id, command.seen_seq);
        return true;
      case "resume":
        void this.#stream(command);
        return true;
      case "ping":
        void this.#look();
        return true;
      default: // that somebody types is not worth a request
        return false;
    }
  }

  /** Asks where the session stands; then there is what a socket's greeting says. */
  async #connect(): Promise<void> {
    const { signal } = this.#abort;
    try {
      const session = await this.api.session(this.sessionId);
      const page = await this.api.messages(this.sessionId, { branch: "all", limit: 200 });
      if (signal.aborted || this.calls.onReached()) return;
      const running = page.results.find(({ status }) => status === "streaming");
      this.#isLive = true;
      this.backoff.reset();
      this.receiver.received({
        type: "connection_established",
        message: "",
        session_id: this.sessionId,
        revision: this.follower.revision ?? newest(page.results),
        head_id: session.head_id,
        epoch: this.follower.epoch,
        generation: running ? { generation_id: running.generation_id, message_id: running.id, seq: 0 } : null,
        server: "",
        protocol: 1,
        ping_interval: LOOK_EVERY / 1000,
      });
      await this.#look();
    } catch (error) {
      this.#failed(error);
    }
  }

  /** Brings what has changed since the last revision that was seen, and follows what runs. */
  async #look(): Promise<void> {
    clearTimeout(this.#timer);
    try {
      const since = this.follower.revision ?? 0;
      const page = await this.api.messages(this.sessionId, { since, limit: 200 });
      if (!this.#isLive) return;
      for (const message of page.results) this.#show(message);
      const session = await this.api.session(this.sessionId);
      if (!this.#isLive) return;
      this.receiver.received({ type: "session_updated", session });
      this.#timer = setTimeout(() => void this.#look(), LOOK_EVERY);
    } catch (error) {
      this.#failed(error);
    }
  }

  /** Gives a stored message the event that a socket would have brought. */
  #show(message: Message): void {
    const generation = { generation_id: message.generation_id ?? "", message_id: message.id };
    if (message.role !== "assistant") {
      this.receiver.received({ type: "user_message", message });
    } else if (message.status === "streaming") {
      if (this.#streaming !== message.generation_id) {
        this.receiver.received({ type: "ai_typing", message: "", ...generation, ai_message: message });
        void this.#stream({ type: "resume", generation_id: generation.generation_id, after_seq: 0 });
      }
    } else if (message.status === "error" || message.status === "interrupted") {
      const { code = "internal", message: said = "The answer was interrupted." } = message.error ?? {};
      const failed = { type: "error", message: said, code, retryable: true, ai_message: message };
      this.receiver.received({ ...failed, ...generation });
    } else {
      this.receiver.received({ type: "ai_message_complete", message, ...generation });
    }
  }

  async #turn(command: TurnCommand): Promise<void> {
    try {
      const accepted = await this.#ask(command);
      if (!this.#isLive) return;
      const { user_message: message, duplicate } = accepted;
      const mine = { ...message, client_id: command.client_id, generation_id: accepted.generation_id };
      this.receiver.received({ type: "user_message", message: mine, duplicate });
      await this.#stream({ type: "resume", generation_id: accepted.generation_id, after_seq: 0 });
    } catch (error) {
      if (!(error instanceof ChatdError) || error.code === "unreachable") return this.#failed(error);
      this.receiver.received({
        type: "error",
        message: error.message,
        code: error.code,
        retryable: error.isRetryable,
        retry_after: error.options.retryAfter,
        client_id: command.client_id,
      });
    }
  }

  #ask(command: TurnCommand): Promise<TurnAccepted> {
    switch (command.type) {
      case "send_message":
        return this.api.send(this.sessionId, command.message, command.client_id);
      case "edit_message":
        return this.api.edit(this.sessionId, command.message_id, command.message, command.client_id);
      case "regenerate":
        return this.api.regenerate(
          this.sessionId,
          command.client_id,
          command.message_id ?? undefined,
        );
    }
  }

  async #stop(generationId?: string | null, seen?: number | null): Promise<void> {
    const which = generationId ? { generation_id: generationId } : {};
    const until = seen === undefined || seen === null ? {} : { seen_seq: seen };
    await this.api.stop(this.sessionId, { ...which, ...until }).catch((error) => this.#failed(error));
  }

  /** Follows a generation to its end; one stream at a time. */
  async #stream({ generation_id: id, after_seq: after }: ResumeCommand): Promise<void> {
    if (this.#streaming === id) return;
    this.#streaming = id;
    try {
      const answer = await this.api.fetch("GET", `sessions/${this.sessionId}/stream/`, {
        headers: { Accept: "text/event-stream", "Last-Event-ID": `${id}:${after}` },
        signal: this.#abort.signal,
      });
      if (answer.status !== 204 && answer.body) {
        for await (const event of readEvents(answer.body)) this.receiver.received(event);
      }
      this.#streaming = undefined;
      if (this.#isLive) await this.#look();
    } catch (error) {
      this.#streaming = undefined;
      this.#failed(error);
    }
  }

  #failed(error: unknown): void {
    if (this.#abort.signal.aborted) return;
    if (error instanceof ChatdError && !error.isRetryable) {
      this.close();
      return this.receiver.refused(error);
    }
    this.#isLive = false;
    this.#isWaiting = true;
    const delay = this.backoff.next();
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#again(), delay);
    this.receiver.lost("The server cannot be reached.", delay);
  }
}
