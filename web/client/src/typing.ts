import type { TypingUser } from "./wire.js";

/** Of one user: the server forgets that somebody types after five seconds too. */
const LASTS = 6_000;
const SAID_EVERY = 3_000;

/** Who types in a session: others, until they stop or are not heard of; and when to say it of oneself. */
export class Typing {
  readonly #others = new Map<string, { user: TypingUser; timer: ReturnType<typeof setTimeout> }>();
  #saidAt = 0;

  /** `forgotten` is called when one was not heard of for too long. */
  constructor(private readonly forgotten: () => void) {}

  get others(): TypingUser[] {
    return [...this.#others.values()].map(({ user }) => user);
  }

  heard(user: TypingUser, isTyping: boolean): void {
    clearTimeout(this.#others.get(user.id)?.timer);
    this.#others.delete(user.id);
    if (!isTyping) return;
    const timer = setTimeout(() => {
      this.#others.delete(user.id);
      this.forgotten();
    }, LASTS);
    this.#others.set(user.id, { user, timer });
  }

  /** Says that one types oneself, unless that was said a moment ago. */
  say(tell: () => boolean): void {
    const now = Date.now();
    if (now - this.#saidAt >= SAID_EVERY && tell()) this.#saidAt = now;
  }

  /** Says that one types no more, if it was said that one does. */
  sayStopped(tell: () => boolean): void {
    if (this.#saidAt) tell();
    this.sent();
  }

  /** What was typed is sent: with that everybody knows. */
  sent(): void {
    this.#saidAt = 0;
  }

  close(): void {
    for (const { timer } of this.#others.values()) clearTimeout(timer);
    this.#others.clear();
  }
}
