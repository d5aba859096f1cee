import type { Api } from "./api.js";
import { Backoff } from "./backoff.js";
import type { Follower } from "./follower.js";
import { type Carrier, Link, type Receiver, type Timing } from "./link.js";
import { StandIn } from "./stand-in.js";
import type { Command } from "./wire.js";

/**
 * What carries a session's events and commands: a link. If WebSockets seem to be blocked on the way,
 * something stands in for it: the same events come by SSE, and commands go by REST. If that reaches
 * nothing either, it is the link's turn again.
 */
export class Carriage implements Carrier {
  readonly #link: Link;
  #now: Carrier;
  #opened = 0; // sockets that the link had opened when something last stood in for it
  /** Whether there was perhaps only no server: then the link tries once more when there is one. */
  #isOwed = false;

  constructor(id: string, api: Api, follower: Follower, receiver: Receiver, timing: Timing) {
    const url = () => api.socketUrl(`session/${id}/`);
    const backoff = new Backoff(timing.retryShortest, timing.retryLongest);
    const calls = { onReached: () => this.#reached(), onLost: () => this.#lost() };
    const standIn = () => new StandIn(id, api, follower, receiver, backoff, calls);
    this.#link = new Link(url, () => api.token, receiver, timing, () => this.#blocked(standIn()));
    this.#now = this.#link;
  }

  open(): void {
    this.#now.open();
  }

  close(): void {
    this.#now.close();
  }

  drop(): void {
    this.#now.drop();
  }

  tell(command: Command): boolean {
    return this.#now.tell(command);
  }

  #blocked(standIn: Carrier): void {
    this.#isOwed ||= this.#link.opened > this.#opened;
    this.#opened = this.#link.opened;
    this.#handOver(standIn);
  }

  #reached(): boolean {
    if (!this.#isOwed) return false;
    this.#isOwed = false;
    this.#handOver(this.#link);
    return true;
  }

  #lost(): void {
    this.#isOwed = true;
    this.#handOver(this.#link);
  }

  #handOver(carrier: Carrier): void {
    this.#now.close();
    this.#now = carrier;
    carrier.open();
  }
}
