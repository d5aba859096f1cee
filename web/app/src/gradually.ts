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
  const [known, setKnown] = useState({ hidden: Math.max(0, total - first), total, firstKey });
  let now = known;
  if (known.total !== total || known.firstKey !== firstKey) {
    now = { hidden: hiddenOf(total, firstKey, first, known), total, firstKey };
    setKnown(now);
  }
  const { hidden } = now;
  useEffect(() => {
    if (hidden === 0) return;
    const more = () => setKnown((then) => ({ ...then, hidden: Math.max(0, then.hidden - step) }));
    const timer = setTimeout(() => startTransition(more));
    return () => clearTimeout(timer);
  }, [hidden, step]);
  return hidden;
}

function hiddenOf(
  total: number,
  firstKey: unknown,
  first: number,
  known: { hidden: number; total: number; firstKey: unknown },
): number {
  const added = total - known.total;
  if (known.total > 0 && firstKey !== known.firstKey) return Math.min(total, known.hidden + Math.max(0, added));
  return added > first ? total - first : Math.min(known.hidden, total);
}
