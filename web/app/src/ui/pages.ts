/** Lists that the server gives page by page. */
import { useCallback, useEffect, useReducer, useRef } from "react";

interface Page<T> {
  readonly results: readonly T[];
  readonly next: string | null;
}

export interface Pages<T> {
  readonly items: readonly T[];
  readonly hasMore: boolean;
  readonly isLoading: boolean;
  readonly error: unknown;
  readonly loadMore: () => void;
  /** Changes what is loaded: what was done to it here shows at once. */
  readonly change: (change: (items: readonly T[]) => readonly T[]) => void;
}

interface State<T> {
  items: readonly T[];
  next: string | null;
  isLoading: boolean;
  error: unknown;
}

const cursorOf = (next: string) => new URLSearchParams(next.split("?")[1]).get("cursor") ?? "";

/** Loads the first page, and again when `load` is another function; the next one on `loadMore`. */
export function usePages<T>(load: (cursor?: string) => Promise<Page<T>>): Pages<T> {
  const [state, update] = useReducer(
    (before: State<T>, change: Partial<State<T>>) => ({ ...before, ...change }),
    { items: [], next: null, isLoading: true, error: undefined },
  );
  const run = useRef(0);
  const now = useRef(state);
  now.current = state;
  const fetch = useCallback(
    async (cursor?: string) => {
      const mine = cursor === undefined ? ++run.current : run.current;
      update({ isLoading: true, error: undefined });
      try {
        const { results, next } = await load(cursor);
        if (mine !== run.current) return;
        const before = cursor === undefined ? [] : now.current.items;
        update({ items: [...before, ...results], next, isLoading: false });
      } catch (error) {
        if (mine === run.current) update({ isLoading: false, error });
      }
    },
    [load],
  );
  useEffect(() => {
    void fetch();
    return () => void run.current++;
  }, [fetch]);
  const loadMore = useCallback(() => {
    const { next, isLoading } = now.current;
    if (next && !isLoading) void fetch(cursorOf(next));
  }, [fetch]);
  const change = useCallback((to: (items: readonly T[]) => readonly T[]) => update({ items: to(now.current.items) }), []);
  return { ...state, hasMore: state.next !== null, loadMore, change };
}

/** Returns a ref for what stands at the end of a list: `call` is called when it comes into sight. */
export function useSight(call: () => void): (element: HTMLElement | null) => (() => void) | undefined {
  const last = useRef(call);
  last.current = call;
  return useCallback((element: HTMLElement | null) => {
    if (!element) return undefined;
    const observer = new IntersectionObserver(([entry]) => entry?.isIntersecting && last.current(), {
      rootMargin: "300px",
    });
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
}
