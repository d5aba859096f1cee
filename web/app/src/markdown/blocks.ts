/**
 * A text that grows, cut into blocks. What is done is never cut or parsed again: of a long reply that
 * streams only the last block is looked at.
 *
 * A block is done when the next one has begun behind a blank line, with a whole line of its own or with
 * what can be nothing but a new beginning. That no later text can change what stands before such a place is what `test/markdown/blocks.test.ts` tries
 * with texts cut everywhere. One thing can: the definition of a reference or footnote. Those blocks
 * that mention it are made again, once, when the definition is done.
 */
import type { Token } from "marked";
import { mentions } from "./labels";
import { type Definitions, lex, noDefinitions, outline } from "./lexer";

/** A part of a text that stands by itself. It never changes: another text is another block. */
export class Block {
  #tokens: readonly Token[] | undefined;
  #defined: Definitions | undefined;

  constructor(
    readonly key: number,
    readonly raw: string,
    private readonly definitions: Definitions,
  ) {}

  /** Its tokens, parsed when they are first wanted. */
  get tokens(): readonly Token[] {
    if (!this.#tokens) {
      // A block that grows may define half of something, which the others must not see.
      this.#defined = this.raw.includes("]:") ? copied(this.definitions) : this.definitions;
      this.#tokens = lex(this.raw, this.#defined);
    }
    return this.#tokens;
  }

  /** What is defined up to the end of this block. */
  get defined(): Definitions {
    if (!this.raw.includes("]:") || !this.tokens) return this.definitions;
    return this.#defined ?? this.definitions;
  }
}

function copied({ links, notes }: Definitions): Definitions {
  return { links: Object.assign(Object.create(null), links), notes: new Set(notes) };
}

const BLANK_BEFORE = /(?:^|\n)[ \t]*\n$/;

/** A line that begins like this goes on with nothing from before a blank line, whatever it becomes. */
const BEGINS_ANEW = /^(?:\*\*)?\p{L}|^[#`]/u;

export class Blocks {
  #done: Block[] = [];
  #open: Block | undefined;
  #text = "";
  #from = 0; // where the open block begins
  #tried = 0; // up to where an end of it was looked for
  #isFinished = false;
  #definitions = noDefinitions();
  #list: readonly Block[] = [];

  /** Returns the blocks of a text; with `isDone` nothing will be added to it. */
  update(text: string, isDone: boolean): readonly Block[] {
    const clean = text.includes("\r") ? text.replace(/\r\n?/g, "\n") : text;
    if (clean.length === this.#text.length && isDone === this.#isFinished && clean === this.#text) {
      return this.#list;
    }
    if (this.#isFinished || !clean.startsWith(this.#text)) this.#goBack(clean);
    this.#text = clean;
    this.#cut();
    const rest = clean.slice(this.#from);
    if (isDone) this.#finish(rest);
    else if (this.#open?.raw !== rest) this.#open = this.#block(rest);
    this.#list = this.#open && rest.trim() !== "" ? [...this.#done, this.#open] : [...this.#done];
    return this.#list;
  }

  /** The text is another one: only what was done long before the first difference is kept. */
  #goBack(text: string): void {
    let end = 0;
    const same = this.#done.findIndex((block) => {
      const isSame = text.startsWith(block.raw, end) && !block.raw.includes("]:");
      if (isSame) end += block.raw.length;
      return !isSame;
    });
    const hasDefinitions = this.#done.some((block) => block.raw.includes("]:"));
    const kept = hasDefinitions ? 0 : Math.max(0, (same < 0 ? this.#done.length : same) - 1);
    this.#done = this.#done.slice(0, kept);
    this.#from = this.#done.reduce((sum, { raw }) => sum + raw.length, 0);
    this.#tried = this.#from;
    this.#open = undefined;
    this.#isFinished = false;
    this.#definitions = noDefinitions();
  }

  #block(raw: string): Block {
    return new Block(this.#done.length, raw, this.#definitions);
  }

  /** Takes from the open text what is done. */
  #cut(): void {
    const line = this.#text.lastIndexOf("\n") + 1;
    const end = line + (BEGINS_ANEW.exec(this.#text.slice(line, line + 4))?.[0].length ?? 0);
    if (end <= this.#tried) return;
    const open = this.#text.slice(this.#from, end);
    this.#tried = end;
    if (!/\n[ \t]*\n/.test(open)) return;
    const places = outline(open)
      .filter(({ at, type }) => at > 0 && type !== "space" && BLANK_BEFORE.test(before(open, at)))
      .map(({ at }) => at);
    let start = 0;
    for (const place of places) {
      this.#close(open.slice(start, place));
      start = place;
    }
    this.#from += start;
  }

  /** The open block, or the beginning of it, is done. */
  #close(raw: string): void {
    const block = this.#open?.raw === raw ? this.#open : this.#block(raw);
    this.#done.push(block);
    this.#open = undefined;
    if (raw.includes("]:")) this.#define(block);
  }

  #finish(rest: string): void {
    if (rest.trim() !== "") this.#close(rest);
    this.#open = undefined;
    this.#isFinished = true;
  }

  /** Takes what a done block defines, and makes those blocks again that were waiting for it. */
  #define(by: Block): void {
    const { links, notes } = by.defined;
    const added = [
      ...Object.keys(links).filter((label) => !(label in this.#definitions.links)),
      ...[...notes].filter((name) => !this.#definitions.notes.has(name)).map((name) => `^${name}`),
    ];
    if (added.length === 0) return;
    this.#definitions = by.defined;
    this.#done = this.#done.map((block) => {
      const isWaiting = block !== by && mentions(block.raw, added);
      return isWaiting ? new Block(block.key, block.raw, this.#definitions) : block;
    });
  }
}

/** Returns enough of what is before a place to see whether a blank line is. */
function before(text: string, at: number): string {
  const line = text.lastIndexOf("\n", at - 2);
  return text.slice(Math.max(0, line), at);
}
