/** Footnotes: `[^name]` in a text, and `[^name]: what it says` at the beginning of a line. */
import type { Lexer, Token, Tokens } from "marked";

export interface NoteDefinition extends Tokens.Generic {
  readonly type: "note";
  readonly name: string;
  tokens: Token[];
}

export interface NoteReference extends Tokens.Generic {
  readonly type: "noteReference";
  readonly name: string;
}

const NAME = "\\[\\^([^\\s\\[\\]]{1,80})\\]";
const DEFINITION = new RegExp(`^ {0,3}${NAME}:[ \\t]*([^\\n]+(?:\\n(?! {0,3}\\[\\^)[ \\t]*\\S[^\\n]*)*)(?:\\n|$)`);
const REFERENCE = new RegExp(`^${NAME}`);
const NEXT = /\n {0,3}\[\^/;

/** Returns a name as it is compared: without regard to case. */
export function folded(name: string): string {
  return name.toLowerCase();
}

/** Returns the definition that a text begins with; what it says is lexed later. */
export function definition(lexer: Lexer, source: string): NoteDefinition | undefined {
  const found = DEFINITION.exec(source);
  const [raw, name, text] = found ?? [];
  if (raw === undefined || name === undefined || text === undefined) return undefined;
  return { type: "note", raw, name: folded(name), tokens: lexer.inline(text.trim()) };
}

/** Returns the reference that a text begins with, if there is a footnote of that name. */
export function reference(source: string, isKnown: (name: string) => boolean): NoteReference | undefined {
  const [raw, name] = REFERENCE.exec(source) ?? [];
  if (raw === undefined || name === undefined || !isKnown(folded(name))) return undefined;
  return { type: "noteReference", raw, name: folded(name) };
}

/** Returns where in its paragraph the next definition may begin. */
export function nextDefinition(source: string): number | undefined {
  const end = source.search(/\n[ \t]*\n/);
  const at = (end < 0 ? source : source.slice(0, end)).search(NEXT);
  return at < 0 ? undefined : at + 1;
}
