/** Code into lines of tokens: what runs in the worker, and nowhere else. */
import { createJavaScriptRegexEngine } from "@shikijs/engine-javascript";
import { codeToTokensBase, createShikiPrimitiveAsync, getLastGrammarState } from "@shikijs/primitive";
import { kindOf, type Line, THEME } from "./colours";
import { loadGrammar } from "./grammars";

type Primitive = Awaited<ReturnType<typeof createShikiPrimitiveAsync>>;
type State = ReturnType<typeof getLastGrammarState> | undefined;

/** Longer lines are data. */
const LONGEST_LINE = 2_000;
/** Milliseconds for a line. The first line of a language is slow, as its patterns are made with it. */
const LONGEST_TIME = 10_000;
/** Codes that grow and are remembered: one streams at a time. */
const REMEMBERED = 8;

let primitive: Promise<Primitive> | undefined;
const loading = new Map<string, Promise<boolean>>();
/** How far each code is: its lines up to there, and what the grammar knows at that place. */
const places = new Map<string, { language: string; code: string; lines: number; state: State }>();

function opened(): Promise<Primitive> {
  primitive ??= createShikiPrimitiveAsync({
    themes: [THEME],
    langs: [],
    engine: createJavaScriptRegexEngine({ forgiving: true }),
  });
  return primitive;
}

async function load(language: string): Promise<boolean> {
  const [shiki, grammar] = await Promise.all([opened(), loadGrammar(language)]);
  if (!grammar) return false;
  await shiki.loadLanguage(grammar as Parameters<Primitive["loadLanguage"]>[0]);
  return true;
}

/** Lines of tokens, and which line is the first of them. */
export interface Tokenized {
  readonly from: number;
  readonly lines: readonly Line[];
}

/**
 * Returns the tokens of code whose lines are all whole. With the id of one that was asked for before and
 * has grown, only what is new is looked at and returned.
 */
export async function tokenize(id: string, language: string, code: string): Promise<Tokenized> {
  if (!loading.has(language)) loading.set(language, load(language));
  if (!(await loading.get(language))) return { from: 0, lines: [] };
  const shiki = await opened();
  const place = places.get(id);
  const isGrown = place?.language === language && code.startsWith(place.code);
  const fresh = isGrown ? code.slice(place.code.length) : code;
  const from = isGrown ? place.lines : 0;
  const tokens = codeToTokensBase(shiki, fresh.replace(/\n$/, ""), {
    lang: grammarName(shiki, language),
    theme: THEME.name,
    tokenizeMaxLineLength: LONGEST_LINE,
    tokenizeTimeLimit: LONGEST_TIME,
    ...(isGrown && place.state ? { grammarState: place.state } : {}),
  });
  remember(id, { language, code, lines: from + tokens.length, state: getLastGrammarState(shiki, tokens) });
  const lines = tokens.map((line) =>
    line.map(({ color, content }) => [kindOf(color), content] as const),
  );
  return { from, lines };
}

/** Some files are called otherwise than the language in them. */
function grammarName(shiki: Primitive, language: string): string {
  return shiki.getLoadedLanguages().includes(language) ? language : (OTHERWISE[language] ?? language);
}

const OTHERWISE: Readonly<Record<string, string>> = {
  fortran: "fortran-free-form",
  lisp: "common-lisp",
};

function remember(id: string, place: NonNullable<ReturnType<typeof places.get>>): void {
  places.delete(id);
  places.set(id, place);
  for (const oldest of places.keys()) {
    if (places.size <= REMEMBERED) break;
    places.delete(oldest);
  }
}
