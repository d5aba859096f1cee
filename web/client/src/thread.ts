import type { Message } from "./wire.js";

/**
 * The messages of a session that are known, and which of them are shown: those from the head back
 * along `parent_id`. Branches that are not shown are kept as far as they were seen.
 */
export class Thread {
  #byId = new Map<string, Message>();
  #headId: string | null = null;
  #shown: readonly Message[] | undefined;
  #byParent: Map<string | null, Message[]> | undefined;

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
      this.#byParent = undefined;
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
    this.#byParent ??= this.#families();
    const family = this.#byParent.get(message.parent_id) ?? [];
    return family.filter((other) => other.role === message.role);
  }

  #families(): Map<string | null, Message[]> {
    const families = new Map<string | null, Message[]>();
    const ordered = [...this.#byId.values()].sort((one, other) => one.seq - other.seq);
    for (const message of ordered) {
      const family = families.get(message.parent_id);
      if (family) family.push(message);
      else families.set(message.parent_id, [message]);
    }
    return families;
  }

  clear(): void {
    this.#byId.clear();
    this.#headId = null;
    this.#shown = undefined;
    this.#byParent = undefined;
  }
}
