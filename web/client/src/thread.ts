import type { Message } from "./wire.js";

/**
 * The messages of a session that are known, and which of them are shown: those from the head back
 * along `parent_id`. Branches that are not shown are kept as far as they were seen.
 */
export class Thread {
  #byId = new Map<string, Message>();
  #headId: string | null = null;
  #shown: readonly Message[] | undefined;

  get headId(): string | null {
    return this.#headId;
  }

  /** Takes messages as they are stored; of two states of one the later counts. */
  put(messages: readonly Message[]): void {
    for (const message of messages) {
      const known = this.#byId.get(message.id);
      if (known && known.revision > message.revision) continue;
      this.#byId.set(message.id, message);
      this.#shown = undefined;
    }
  }

  /** Shows the branch that ends there; false if that message is not known. */
  show(headId: string | null): boolean {
    if (headId !== null && !this.#byId.has(headId)) return false;
    if (headId !== this.#headId) this.#shown = undefined;
    this.#headId = headId;
    return true;
  }

  get(id: string): Message | undefined {
    return this.#byId.get(id);
  }

  /** The messages that are shown, oldest first, as far back as they are known. */
  get shown(): readonly Message[] {
    if (this.#shown) return this.#shown;
    const chain: Message[] = [];
    let next = this.#headId === null ? undefined : this.#byId.get(this.#headId);
    while (next) {
      chain.push(next);
      next = next.parent_id === null ? undefined : this.#byId.get(next.parent_id);
    }
    this.#shown = chain.reverse();
    return this.#shown;
  }

  /** Whether the session has messages before those that are shown. */
  get hasOlder(): boolean {
    const first = this.shown[0];
    return first !== undefined && first.parent_id !== null;
  }

  /** The known alternatives to a message, itself among them, oldest first. */
  siblings(message: Message): readonly Message[] {
    const found = [...this.#byId.values()].filter(
      (other) => other.parent_id === message.parent_id && other.role === message.role,
    );
    return found.sort((one, other) => one.seq - other.seq);
  }

  clear(): void {
    this.#byId.clear();
    this.#headId = null;
    this.#shown = undefined;
  }
}
