/**
 * Markdown into tokens: marked's lexer with formulas and footnotes, and with limits, as what a model
 * writes may be made to hurt. Nothing here or behind it makes HTML.
 */
import { Lexer, type MarkedOptions, type Token, Tokenizer, type Tokens } from "marked";
import { MATHS, masked } from "./maths";
import { definition, nextDefinition, reference } from "./notes";

/** What blocks of one text know of each other: where reference links lead, and which footnotes there are. */
export interface Definitions {
  readonly links: Record<string, { href: string | null; title: string | null | undefined }>;
  readonly notes: Set<string>;
}

export function noDefinitions(): Definitions {
  return { links: Object.create(null) as Definitions["links"], notes: new Set() };
}

/** Quotes in lists in quotes: what is deeper is shown as it is written. */
const DEEPEST = 24;
/** Characters of one run of text; a longer one is shown without emphasis, links and so on. */
const LONGEST_RUN = 40_000;

const OPTIONS: MarkedOptions = {
  gfm: true,
  breaks: true,
  hooks: { emStrongMask: masked } as NonNullable<MarkedOptions["hooks"]>,
  extensions: {
    renderers: {},
    childTokens: {},
    block: [
      MATHS[0]!.tokenizer,
      function (source) {
        return definition(this.lexer, source);
      },
    ],
    startBlock: [MATHS[0]!.start!, nextDefinition],
    inline: [
      MATHS[1]!.tokenizer,
      function (source) {
        return reference(source, (name) => (this.lexer as LimitedLexer).definitions.notes.has(name));
      },
    ],
    startInline: [MATHS[1]!.start!],
  },
};

class LimitedTokenizer extends Tokenizer {
  /** marked lets a title of a definition go on behind a blank line, CommonMark does not. */
  override def(source: string): Tokens.Def | undefined {
    const end = source.search(/\n[ \t]*\n/);
    return super.def(end < 0 ? source : source.slice(0, end + 1));
  }
}

class LimitedLexer extends Lexer {
  #depth = 0;

  constructor(readonly definitions: Definitions) {
    // A tokenizer of its own: marked ties it to one lexer.
    super({ ...OPTIONS, tokenizer: new LimitedTokenizer() });
    this.tokens.links = definitions.links as typeof this.tokens.links;
  }

  override blockTokens(source: string, tokens: Token[] = [], isClipped?: boolean): never {
    const nested = () => super.blockTokens(source, tokens, isClipped);
    if (this.#depth >= DEEPEST) tokens.push(asItIs(source));
    else this.#deeper(nested);
    for (const token of tokens) if (token.type === "note") this.definitions.notes.add(token.name);
    return tokens as never; // the overloads say what was given, the implementation that and more
  }

  override inlineTokens(source: string, tokens: Token[] = []): Token[] {
    const nested = () => super.inlineTokens(source, tokens);
    if (this.#depth >= DEEPEST || source.length > LONGEST_RUN) tokens.push(asItIs(source));
    else this.#deeper(nested);
    return tokens;
  }

  #deeper(nested: () => void): void {
    this.#depth += 1;
    try {
      nested();
    } finally {
      this.#depth -= 1;
    }
  }
}

function asItIs(source: string): Token {
  return { type: "text", raw: source, text: source, escaped: true };
}

/** How often text was parsed; what is done must not be parsed again, and a test counts. */
export const parses = { count: 0 };

/** Returns the tokens of a text. What it defines is added to the definitions. */
export function lex(text: string, definitions: Definitions): Token[] {
  parses.count += 1;
  try {
    return new LimitedLexer(definitions).lex(text);
  } catch {
    // A lexer that gave up: the reader gets the text.
    return [{ type: "paragraph", raw: text, text, tokens: [asItIs(text)] }];
  }
}

/** Returns where each block of a text begins, and its kind, without looking into its text. */
export function outline(text: string): { at: number; type: string }[] {
  const lexer = new LimitedLexer(noDefinitions());
  let at = 0;
  try {
    const tokens = lexer.blockTokens(text, []) as Token[];
    const found = tokens.map(({ type, raw }) => {
      const block = { at, type };
      at += raw.length;
      return block;
    });
    return at === text.length ? found : [];
  } catch {
    return [];
  }
}
