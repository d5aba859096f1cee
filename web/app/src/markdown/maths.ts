/**
 * Formulas in Markdown: `$x$` and `\(x\)` in a line, `$$x$$` and `\[x\]` by themselves.
 *
 * A formula never holds a blank line, so that a dollar sign can do harm in its own paragraph only. Of
 * dollars that are money none is a formula: the rules are Pandoc's (no space inside of the dollars, no
 * digit behind them), and a number with words behind it is no formula either.
 */
import type { Token, TokenizerExtension, Tokens } from "marked";

export interface Formula extends Tokens.Generic {
  readonly type: "maths";
  readonly text: string;
  readonly isDisplay: boolean;
}

/** Longer ones are no formulas, but what stands between two dollar signs of a long text. */
const LONGEST = 4_000;

const BLOCK = /^ {0,3}(?:\$\$((?:\\[^\n]|[^\\$\n]|\n(?![ \t]*\n)|\$(?!\$))+?)\$\$|\\\[((?:[^\\\n]|\\[^\]\n]|\\?\n(?![ \t]*\n))+?)\\\])[ \t]*(?:\n|$)/;
const DISPLAY = /^\$\$((?:\\[\s\S]|[^\\$])+?)\$\$/;
const DOLLARS = /^\$(?![\s$])((?:\\[^\n]|[^\\$\n])+?)\$(?![\d$])/;
const PARENTHESES = /^\\\(((?:[^\\]|\\[^()[\]])+?)\\\)/;
const BRACKETS = /^\\\[((?:[^\\]|\\[^[\]])+?)\\\]/;
const NEXT_BLOCK = /\n {0,3}(?:\$\$|\\\[)/;

const OPERATORS = /[\\^_={}<>+*/|]/;
const MONEY = /^[\d.,]+(?:\s|[kKmMbB]\b)/;
const WORDS = /\p{L}{2,}\s+\p{L}{2,}/u;

function formula(raw: string, text: string | undefined, isDisplay: boolean): Formula | undefined {
  const inner = text?.trim();
  if (!inner || raw.length > LONGEST) return undefined;
  return { type: "maths", raw, text: inner, isDisplay };
}

/** Whether what stands between two dollars is prose about money. */
function isProse(text: string): boolean {
  if (OPERATORS.test(text)) return /^[\d.,]+\s+\p{L}/u.test(text) && !/[\\^_={}]/.test(text);
  return MONEY.test(text) || WORDS.test(text);
}

function inDollars(source: string): Formula | undefined {
  const found = DOLLARS.exec(source);
  const text = found?.[1];
  if (!found || text === undefined || /\s$/.test(text) || isProse(text)) return undefined;
  return formula(found[0], text, false);
}

function escaped(source: string): Formula | undefined {
  const isDisplay = source[1] === "[";
  const found = (isDisplay ? BRACKETS : PARENTHESES).exec(source);
  const text = found?.[1];
  // `\[1\]` and `\(see below\)` are brackets that somebody wanted to show.
  if (!found || !text || (isDisplay ? !OPERATORS.test(text) : isProse(text))) return undefined;
  return formula(found[0], text, isDisplay);
}

/** Returns the formula that a text begins with. */
export function inlineFormula(source: string): Formula | undefined {
  if (source.startsWith("$$")) {
    const found = DISPLAY.exec(source);
    return found ? formula(found[0], found[1], true) : undefined;
  }
  if (source[0] === "$") return inDollars(source);
  return source[0] === "\\" && (source[1] === "(" || source[1] === "[") ? escaped(source) : undefined;
}

function blockFormula(source: string): Formula | undefined {
  const first = source.trimStart()[0];
  if (first !== "$" && first !== "\\") return undefined;
  const found = BLOCK.exec(source);
  return found ? formula(found[0], found[1] ?? found[2], true) : undefined;
}

/** Returns where in its paragraph the next formula of its own lines may begin. */
function nextBlock(source: string): number | undefined {
  const end = source.search(/\n[ \t]*\n/);
  const at = (end < 0 ? source : source.slice(0, end)).search(NEXT_BLOCK);
  return at < 0 ? undefined : at + 1;
}

function nextInline(source: string): number | undefined {
  const at = source.indexOf("$");
  return at < 0 ? undefined : at;
}

/** `US$5`: a dollar behind a letter or digit opens nothing. */
function inline(source: string, before: readonly Token[]): Formula | undefined {
  if (source[0] !== "$" && source[0] !== "\\") return undefined;
  if (source[0] === "$" && /[\p{L}\d$]$/u.test(before.at(-1)?.raw ?? "")) return undefined;
  return inlineFormula(source);
}

/** What the lexer is extended with. */
export const MATHS: TokenizerExtension[] = [
  { name: "maths", level: "block", start: nextBlock, tokenizer: blockFormula },
  { name: "maths", level: "inline", start: nextInline, tokenizer: inline },
];

/** Returns a text in which nothing of a formula can be taken for emphasis, as long as it was. */
export function masked(text: string): string {
  if (!text.includes("$") && !text.includes("\\(")) return text;
  let out = "";
  let from = 0;
  for (let at = 0; at < text.length; at += 1) {
    if (text[at] !== "$" && text[at] !== "\\") continue;
    const found = inlineFormula(text.slice(at, at + LONGEST));
    if (!found) continue;
    out += text.slice(from, at) + "a".repeat(found.raw.length);
    from = at + found.raw.length;
    at = from - 1;
  }
  return out + text.slice(from);
}
