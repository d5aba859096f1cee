import { ChatdError } from "./errors.js";
import type { Command, Message, ServerEvent, TurnCommand } from "./wire.js";

/** Refusals that pass by themselves: another turn runs, or the server goes and another comes. */
const PASSING = new Set(["generation_running", "shutting_down", "store_unavailable", "rate_limited"]);
const RETRY_AFTER = 1_000; // milliseconds, when the server does not say

/** A turn that was asked for. Both promises reject with a ChatdError. */
export interface Turn {
  readonly clientId: string;
  /** The text of a message that is sent or edited; undefined for a regeneration. */
  readonly text: string | undefined;
  /** The message that is edited or answered once more; undefined when that is the last one, or none. */
  readonly messageId: string | undefined;
  /** Resolves with the generation's id when the turn is stored. */
  readonly accepted: Promise<string>;
  /** Resolves with the model's message when the generation has ended. */
  readonly ended: Promise<Message>;
}

type State = "queued" | "sent" | "accepted";

/** A turn, and what its promises wait for. */
class Entry implements Turn {
  state: State = "queued";
  generationId: string | undefined;
  mustStop = false;
  readonly accepted: Promise<string>;
  readonly ended: Promise<Message>;
  accept!: (generationId: string) => void;
  end!: (message: Message) => void;
  fail!: (error: ChatdError) => void;

  constructor(readonly command: TurnCommand) {
    const failures: ((error: ChatdError) => void)[] = [];
    this.accepted = new Promise((resolve, reject) => {
      this.accept = resolve;
      failures.push(reject);
    });
    this.ended = new Promise((resolve, reject) => {
      this.end = resolve;
      failures.push(reject);
    });
    this.fail = (error) => {
      for (const reject of failures) reject(error);
    };
    // Who does not look at a promise is not to be told of it as an unhandled rejection.
    this.accepted.catch(() => undefined);
    this.ended.catch(() => undefined);
  }

  get clientId(): string {
    return this.command.client_id;
  }

  get text(): string | undefined {
    return "message" in this.command ? this.command.message : undefined;
  }

  get messageId(): string | undefined {
    return "message_id" in this.command ? (this.command.message_id ?? undefined) : undefined;
  }
}

/**
 * The turns of one session that are not over. Each is sent until it is known to have been stored: a
 * turn is repeated with its client_id, which the server carries out once, however often it is asked.
 * One turn runs at a time; the others wait behind it, also while there is no connection.
 */
export class Outbox {
  #entries: Entry[] = [];
  #retry: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly tell: (command: Command) => boolean,
    private readonly seen: (generationId: string) => number | undefined,
    private readonly most = 100,
  ) {}

  /** Turns that are not stored yet, in their order. */
  get pending(): readonly Turn[] {
    return this.#entries.filter((entry) => entry.state !== "accepted");
  }

  /** Queues a turn, and sends it if it is the next. Throws ChatdError when too many wait. */
  add(command: TurnCommand): Turn {
    if (this.#entries.length >= this.most) {
      throw new ChatdError(`${this.most} messages wait already.`, "outbox_full");
    }
    const entry = new Entry(command);
    this.#entries.push(entry);
    this.#pump();
    return entry;
  }

  /** There is a connection: what was not acknowledged is sent again. */
  connected(): void {
    const head = this.#entries[0];
    if (head?.state === "sent") head.state = "queued";
    this.#pump();
    if (head?.state === "accepted" && head.mustStop) this.#tellStop(head);
  }

  /** The head has told which generation runs: an accepted turn that does not run had its end missed. */
  ponged(generationId: string | undefined): void {
    const head = this.#entries[0];
    if (head?.state === "accepted" && head.generationId !== generationId) this.tell(head.command);
  }

  /** Stops a turn at whatever stage it is; a lost connection does not let it get away. */
  stop(turn: Turn): void {
    const entry = this.#entries.find((one) => one.clientId === turn.clientId);
    if (!entry) return;
    if (entry.state === "queued") {
      this.#drop(entry, new ChatdError("The message was withdrawn.", "withdrawn"));
    } else {
      entry.mustStop = true;
      if (entry.state === "accepted") this.#tellStop(entry);
    }
  }

  /** Learns from an event what became of turns. */
  take(event: ServerEvent): void {
    const head = this.#entries[0];
    if (!head) return;
    if (event.type === "user_message") this.#accept(head, event.message);
    else if (event.type === "ai_typing") this.#accept(head, event.ai_message);
    else if (event.type === "ai_message_complete") this.#end(head, event.message);
    else if (event.type === "error" && event.ai_message) {
      this.#end(head, event.ai_message, new ChatdError(event.message, event.code, {
        isRetryable: event.retryable,
        aiMessage: event.ai_message,
      }));
    } else if (event.type === "error" && event.client_id === head.clientId) {
      this.#refused(head, new ChatdError(event.message, event.code, {
        isRetryable: event.retryable,
        retryAfter: event.retry_after,
        fields: event.errors,
      }));
    }
  }

  /** Ends all turns: the session is closed, or the server has said to stop. */
  fail(error: ChatdError): void {
    clearTimeout(this.#retry);
    for (const entry of this.#entries.splice(0)) entry.fail(error);
  }

  #pump(): void {
    const head = this.#entries[0];
    if (head?.state === "queued" && this.tell(head.command)) head.state = "sent";
  }

  #accept(entry: Entry, message: Message): void {
    if (entry.state === "accepted" || message.client_id !== entry.clientId) return;
    if (!message.generation_id) return;
    entry.state = "accepted";
    entry.generationId = message.generation_id;
    entry.accept(message.generation_id);
    if (entry.mustStop) this.#tellStop(entry);
  }

  #end(entry: Entry, message: Message, error?: ChatdError): void {
    this.#accept(entry, message);
    if (entry.state === "accepted" && entry.generationId === message.generation_id) {
      this.#entries.shift();
      if (error) entry.fail(error);
      else entry.end(message);
    }
    // Another's turn has ended: if ours was refused for it, now is its time.
    this.#pump();
  }

  #refused(entry: Entry, error: ChatdError): void {
    if (!PASSING.has(error.code)) return this.#drop(entry, error);
    entry.state = "queued";
    if (entry.mustStop) return this.stop(entry);
    clearTimeout(this.#retry);
    const delay = (error.options.retryAfter ?? 0) * 1000 || RETRY_AFTER;
    this.#retry = setTimeout(() => this.#pump(), delay);
  }

  #drop(entry: Entry, error: ChatdError): void {
    this.#entries = this.#entries.filter((one) => one !== entry);
    entry.fail(error);
    this.#pump();
  }

  #tellStop(entry: Entry): void {
    const seen = this.seen(entry.generationId ?? "");
    this.tell({
      type: "stop_generation",
      generation_id: entry.generationId ?? null,
      ...(seen === undefined ? {} : { seen_seq: seen }),
    });
  }
}
