/** How long to wait between attempts: any time up to a limit that doubles (full jitter). */
export class Backoff {
  #failures = 0;

  /** Both in milliseconds. */
  constructor(
    private readonly shortest: number,
    private readonly longest: number,
    private readonly random: () => number = Math.random,
  ) {}

  /** Returns the milliseconds to wait before the next attempt. */
  next(): number {
    const limit = Math.min(this.longest, this.shortest * 2 ** this.#failures);
    this.#failures = Math.min(this.#failures + 1, 30);
    return this.random() * limit;
  }

  /** An attempt was good: begin with the shortest again. */
  reset(): void {
    this.#failures = 0;
  }
}
