/**
 * The client's rule (PROTOCOL section 4.3), without I/O: events in, conclusions out.
 *
 * Two numbers, no more: `revision` of the last durable change that was seen, and `have`, the last
 * entry of the running generation's log. Whatever is lost, doubled or late, the text converges.
 */
import { ChatdError } from "./errors.js";
import { begun, follow, type Running } from "./log.js";
import type { Command, LogEvent, Message, ServerEvent, SessionGreeting, SessionPong } from "./wire.js";

/** Generations that have ended and are remembered: a late event of one must not bring it back. */
const REMEMBERED = 256;

/** What an event led to. */
export interface Step {
  /** To be sent. */
  readonly commands: readonly Command[];
  /** Stored messages that are new, or newer than what was known. */
  readonly messages: readonly Message[];
  /** Everything that was held is to be loaded again. */
  readonly mustReload?: boolean;
  /** Something durable was lost: connect again, with `since`. */
  readonly isBehind?: boolean;
}

const NOTHING: Step = { commands: [], messages: [] };

/** Where a client of one session stands. Feed it every event of one connection, in order. */
export class Follower {
  revision: number | undefined;
  epoch: string | undefined;
  #open = new Map<string, Running>();
  #ended = new Set<string>();
  #promised = 0;

  /** The generation that runs, as far as this client knows. */
  get running(): Running | undefined {
    const newest = [...this.#open.values()].at(-1);
    return newest?.messageId ? newest : undefined;
  }

  /** Whether nothing of that generation counts any more. */
  isEnded(generationId: string): boolean {
    return this.#ended.has(generationId);
  }

  /** The query of the next connection: nothing before the last revision comes again. */
  query(): Record<string, string> {
    const query: Record<string, string> = { chunks: "delta" };
    if (this.revision !== undefined) query.since = String(this.revision);
    if (this.epoch !== undefined) query.epoch = this.epoch;
    return query;
  }

  /** Messages were loaded that hold everything up to that revision. */
  loaded(revision: number): void {
    this.revision = Math.max(this.revision ?? 0, revision);
  }

  feed(event: ServerEvent): Step {
    switch (event.type) {
      case "connection_established":
        return this.#greeted(event);
      case "user_message":
        return this.#asked(event.message);
      case "ai_typing":
        return this.#started(event.generation_id, event.message_id, event.ai_message);
      case "ai_message_chunk":
      case "ai_reasoning_chunk":
      case "ai_tool_call":
      case "ai_tool_result":
        return this.#log(event);
      case "ai_message_complete":
        return this.#finished(event.generation_id ?? event.message.generation_id, event.message);
      case "error":
        return event.generation_id && event.ai_message
          ? this.#finished(event.generation_id, event.ai_message)
          : NOTHING;
      case "message_updated":
        return this.#stored(event.message);
      case "pong":
        return this.#pong(event);
      default: // of a newer server, or nothing that the rule is about
        return NOTHING;
    }
  }

  #greeted(event: SessionGreeting): Step {
    const running = event.generation?.generation_id;
    const mustReload = event.reload === true;
    if (mustReload) {
      for (const id of this.#open.keys()) if (id !== running) this.#open.delete(id);
    }
    if (this.revision === undefined || mustReload) this.revision = event.revision;
    this.epoch = event.epoch;
    this.#promised = 0;
    return mustReload ? { ...NOTHING, mustReload } : NOTHING;
  }

  #isNews(message: Message): boolean {
    if (this.revision !== undefined && message.revision <= this.revision) return false;
    this.revision = message.revision;
    return true;
  }

  #stored(message: Message): Step {
    this.#isNews(message);
    return { commands: [], messages: [message] };
  }

  #asked(message: Message): Step {
    const isNews = this.#isNews(message);
    const id = message.generation_id;
    // Its answer may be lost while later messages arrive: then `since` is past it.
    if (isNews && id && !this.#ended.has(id)) this.#generation(id, "");
    return { commands: [], messages: [message] };
  }

  #generation(id: string, messageId: string): Running {
    const known = this.#open.get(id) ?? begun(id, messageId);
    const running = known.messageId ? known : { ...known, messageId };
    this.#open.set(id, running);
    return running;
  }

  #started(id: string, messageId: string, message: Message): Step {
    this.#isNews(message);
    if (this.#ended.has(id)) return NOTHING;
    // A generation that gave no end is over: one session runs one at a time.
    const lost = [...this.#open.values()].filter((running) => running.generationId !== id);
    this.#generation(id, messageId);
    return { commands: lost.map(resume), messages: [message] };
  }

  #log(event: LogEvent): Step {
    const id = event.generation_id;
    if (this.#ended.has(id)) return NOTHING;
    const running = this.#generation(id, event.message_id);
    const next = follow(running, event);
    if (next === undefined) return { commands: [resume(running)], messages: [] };
    this.#open.set(id, next);
    return NOTHING;
  }

  #finished(id: string | null, message: Message): Step {
    this.#isNews(message);
    const generationId = id ?? message.id;
    this.#open.delete(generationId);
    this.#ended.add(generationId);
    if (this.#ended.size > REMEMBERED) {
      for (const oldest of this.#ended) {
        this.#ended.delete(oldest);
        break;
      }
    }
    return { commands: [], messages: [message] };
  }

  /**
   * Compares with the head. What is missing of a log is asked for again. A revision may be stored a
   * moment before its event is sent: only what the pong before this one has promised is missing.
   */
  #pong(event: SessionPong): Step {
    const id = event.generation?.generation_id;
    const commands: Command[] = [...this.#open.values()]
      .filter((running) => running.generationId !== id)
      .map(resume);
    if (id && event.generation) {
      const known = this.#open.get(id);
      if (known && known.have < event.generation.seq) commands.push(resume(known));
      else if (!known && !this.#ended.has(id)) commands.push(resume(begun(id, "")));
    }
    const isBehind = this.revision !== undefined && this.revision < this.#promised;
    this.#promised = event.revision;
    return { commands, messages: [], isBehind };
  }
}

function resume(running: Running): Command {
  return { type: "resume", generation_id: running.generationId, after_seq: running.have };
}

/** Returns the error in an event. */
export function errorOf(event: Extract<ServerEvent, { type: "error" }>): ChatdError {
  return new ChatdError(event.message, event.code, {
    isRetryable: event.retryable,
    retryAfter: event.retry_after,
    fields: event.errors,
    aiMessage: event.ai_message,
  });
}
