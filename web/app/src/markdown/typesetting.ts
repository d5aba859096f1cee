/** KaTeX, loaded with the first formula, and given no more of the main thread than a frame can spare. */
import type katex from "katex";

type Katex = typeof katex;

/** Milliseconds that formulas may take at a time. */
const SLICE = 8;

export interface Order {
  readonly source: string;
  readonly isDisplay: boolean;
  readonly target: HTMLElement;
  /** Told whether the target shows the formula. */
  readonly done: (isShown: boolean) => void;
}

let library: Promise<Katex> | undefined;
let queue: Order[] = [];
let isRunning = false;

/** Orders a formula; returns what withdraws it. */
export function typeset(order: Order): () => void {
  queue.push(order);
  if (!isRunning) void run();
  return () => {
    queue = queue.filter((other) => other !== order);
  };
}

async function run(): Promise<void> {
  isRunning = true;
  try {
    library ??= load();
    const loaded = await library;
    while (queue.length > 0) {
      const begun = performance.now();
      while (queue.length > 0 && performance.now() - begun < SLICE) make(loaded, queue.shift()!);
      await new Promise((resolve) => setTimeout(resolve, SLICE));
    }
  } catch {
    library = undefined; // it may be loaded later; till then the sources are shown
  }
  isRunning = false;
}

async function load(): Promise<Katex> {
  const [module] = await Promise.all([import("katex"), import("katex/dist/katex.min.css")]);
  return module.default;
}

function make(loaded: Katex, { source, isDisplay, target, done }: Order): void {
  try {
    target.replaceChildren(drawn(loaded, source, isDisplay));
    done(true);
  } catch {
    target.replaceChildren(); // not a formula, or one that was made to hurt
    done(false);
  }
}

interface Drawing {
  attributes?: Record<string, string>;
  children?: Drawing[];
  toNode(): Node;
}

/** Returns a formula as nodes. Nothing is trusted, nothing is parsed as HTML. */
function drawn(loaded: Katex, source: string, isDisplay: boolean): Node {
  const drawing = (loaded as unknown as { __renderToDomTree: typeof tree }).__renderToDomTree(source, {
    displayMode: isDisplay,
    trust: false,
    strict: "ignore",
    throwOnError: true,
    maxExpand: 300,
    maxSize: 25,
  });
  putStylesAside(drawing);
  const fragment = document.createDocumentFragment();
  fragment.append(drawing.toNode());
  for (const element of fragment.querySelectorAll<HTMLElement>("[data-katex-style]")) {
    element.style.cssText = element.getAttribute("data-katex-style") ?? "";
    element.removeAttribute("data-katex-style");
  }
  return fragment;
}

declare function tree(source: string, options: object): Drawing;

/** The page's policy forbids `style` as an attribute, which KaTeX writes at a few places. */
function putStylesAside(drawing: Drawing): void {
  const { attributes, children } = drawing;
  if (attributes?.style) {
    attributes["data-katex-style"] = attributes.style;
    delete attributes.style;
  }
  for (const child of children ?? []) putStylesAside(child);
}
