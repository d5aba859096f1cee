/** What a component asks for, and the worker that answers. */
import { startTransition, useEffect, useId, useState } from "react";
import type { Line } from "./colours";
import { isHighlighted } from "./languages";
import type { Tokenized } from "./tokenizing";

/** Characters; longer code is shown in one colour. */
const LONGEST = 300_000;
/** Milliseconds between two looks at code that grows. */
const GENTLE = 250;

export interface Highlighted {
  /** The code that the lines are of: the beginning of what is shown. */
  readonly code: string;
  readonly lines: readonly Line[];
}

const NONE: Highlighted = { code: "", lines: [] };

let worker: Worker | undefined;
const waiting = new Map<string, (tokenized: Tokenized) => void>();

/** Asks the worker. A code has one question at a time. */
function ask(id: string, language: string, code: string): Promise<Tokenized> {
  if (!worker) {
    worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module" });
    worker.addEventListener("message", ({ data }: MessageEvent<Tokenized & { id: string }>) => {
      waiting.get(data.id)?.(data);
      waiting.delete(data.id);
    });
  }
  worker.postMessage({ id, language, code });
  return new Promise((resolve) => waiting.set(id, resolve));
}

/** Follows one code: while an answer is awaited, only the newest text is remembered. */
class Follower {
  #wanted = "";
  #isBusy = false;
  #isGone = false;
  #at: Highlighted = NONE;

  constructor(
    private readonly id: string,
    private readonly language: string,
    private readonly show: (highlighted: Highlighted) => void,
  ) {}

  want(code: string): void {
    this.#wanted = code;
    if (!this.#isBusy) void this.#run();
  }

  leave(): void {
    this.#isGone = true;
  }

  async #run(): Promise<void> {
    this.#isBusy = true;
    while (!this.#isGone && this.#wanted !== this.#at.code) {
      const code = this.#wanted;
      const { from, lines } = await ask(this.id, this.language, code);
      this.#at = { code, lines: [...this.#at.lines.slice(0, from), ...lines] };
      if (!this.#isGone) this.show(this.#at);
      await new Promise((resolve) => setTimeout(resolve, GENTLE));
    }
    this.#isBusy = false;
  }
}

/** Returns the beginning of code that is highlighted by now; of code that grows whole lines only. */
export function useHighlighted(text: string, language: string, isGrowing: boolean): Highlighted {
  const id = useId();
  const [highlighted, setHighlighted] = useState(NONE);
  const [follower, setFollower] = useState<Follower>();
  const isWanted = isHighlighted(language) && text.length <= LONGEST && typeof Worker === "function";
  useEffect(() => {
    if (!isWanted) return;
    const one = new Follower(id, language, (now) => startTransition(() => setHighlighted(now)));
    setFollower(one);
    return () => one.leave();
  }, [id, language, isWanted]);
  const code = isGrowing ? text.slice(0, text.lastIndexOf("\n") + 1) : text;
  useEffect(() => {
    if (code) follower?.want(code);
  }, [follower, code]);
  return isWanted && text.startsWith(highlighted.code) ? highlighted : NONE;
}
