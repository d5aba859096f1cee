/** Long lists that are rendered bit by bit: first what is seen, which is their end. */
import { startTransition, useEffect, useState } from "react";

/** Returns how many of the last items to render by now: `first`, then `step` more at a time. */
export function useGradually(total: number, first: number, step: number): number {
  const [count, setCount] = useState(first);
  useEffect(() => {
    if (count >= total) return;
    const timer = setTimeout(() => startTransition(() => setCount((now) => now + step)));
    return () => clearTimeout(timer);
  }, [count, total, step]);
  return Math.min(count, total);
}
