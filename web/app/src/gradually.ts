/** Long lists that are rendered bit by bit: first their end, which is what is seen. */
import { startTransition, useEffect, useState } from "react";

interface Sizes {
  /** How many are rendered at once. */
  readonly first: number;
  /** How many are added to them at a time. */
  readonly step: number;
}

/**
 * Returns how many items at the beginning of a list are not to be rendered yet. Items that are added to its
 * end are rendered at once unless they are many; what is put before its first one, gradually.
 */
export function useGradually(total: number, firstKey: unknown, { first, step }: Sizes): number {
  const [start] = useState(() => new Start(total, firstKey, first));
  const [, wake] = useState(0);
  const hidden = start.of(total, firstKey);
  useEffect(() => {
    if (hidden === 0) return;
    const timer = setTimeout(() => {
      start.reveal(step);
      startTransition(() => wake((count) => count + 1));
    });
    return () => clearTimeout(timer);
  }); // after every render: what is hidden stays so only as long as there is a timer
  return hidden;
}

/**
 * Where a list begins to be rendered. No state of React's: while it grows and begins earlier at the same time,
 * React would do the one on what was before the other, and could lose either.
 */
class Start {
  #hidden: number;

  constructor(
    private total: number,
    private firstKey: unknown,
    private readonly first: number,
  ) {
    this.#hidden = Math.max(0, total - first);
  }

  /** Returns how many are hidden of a list as it now is. */
  of(total: number, firstKey: unknown): number {
    const added = total - this.total;
    if (this.total > 0 && firstKey !== this.firstKey) {
      this.#hidden = Math.min(total, this.#hidden + Math.max(0, added));
    } else {
      this.#hidden = added > this.first ? total - this.first : Math.min(this.#hidden, total);
    }
    this.total = total;
    this.firstKey = firstKey;
    return this.#hidden;
  }

  /** Hides fewer. */
  reveal(count: number): void {
    this.#hidden = Math.max(0, this.#hidden - count);
  }
}
