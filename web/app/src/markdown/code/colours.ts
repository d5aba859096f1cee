/** Kinds of tokens. The grammars name hundreds; a reader can tell some ten colours apart. */

/** One line of code: what each piece is, and its text. */
export type Line = readonly (readonly [kind: Kind, text: string])[];

const SCOPES = {
  comment: ["comment", "punctuation.definition.comment"],
  string: ["string", "punctuation.definition.string", "markup.inline.raw", "constant.other.symbol"],
  escape: ["constant.character.escape", "string.regexp", "punctuation.definition.template-expression"],
  number: ["constant.numeric", "constant.language", "keyword.other.unit", "support.constant"],
  keyword: ["keyword", "storage", "variable.language", "punctuation.definition.keyword"],
  plain: ["keyword.operator", "punctuation", "storage.type.function.arrow", "meta.brace"],
  function: ["entity.name.function", "support.function", "meta.function-call.generic", "meta.decorator"],
  type: ["entity.name.type", "entity.name.class", "entity.other.inherited-class", "support.type",
    "support.class", "storage.type.java", "entity.name.namespace"],
  property: ["support.type.property-name", "variable.other.property", "meta.object-literal.key",
    "entity.name.tag.yaml", "variable.other.object.property"],
  tag: ["entity.name.tag", "markup.heading", "entity.name.section"],
  attribute: ["entity.other.attribute-name", "variable.parameter"],
  inserted: ["markup.inserted"],
  deleted: ["markup.deleted", "invalid.illegal"],
} as const;

export type Kind = keyof typeof SCOPES;
export const KINDS = Object.keys(SCOPES) as Kind[];

/** A theme gives colours; ours are the numbers of kinds, which the style sheet gives colours for. */
const colour = (number: number) => `#0000${number.toString(16).padStart(2, "0")}`;
const PLAIN = KINDS.indexOf("plain");

export const THEME = {
  name: "kinds",
  type: "light" as const,
  fg: colour(PLAIN),
  bg: "#ffffff",
  settings: [
    { settings: { foreground: colour(PLAIN), background: "#ffffff" } },
    ...KINDS.map((kind, number) => ({
      scope: [...SCOPES[kind]],
      settings: { foreground: colour(number) },
    })),
  ],
};

/** Returns the kind that a colour of the theme stands for. */
export function kindOf(foreground: string | undefined): Kind {
  return KINDS[Number.parseInt(foreground?.slice(1) ?? "", 16)] ?? "plain";
}
