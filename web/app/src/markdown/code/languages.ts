/** Names of the languages that are highlighted. Their grammars are in `grammars.ts`, beside the page. */

export const LANGUAGES: ReadonlySet<string> = new Set(
  (
    "apache asm awk bash bat c clojure cmake cpp csharp css dart diff docker elixir elm erlang " +
    "fortran fsharp glsl go graphql groovy haskell hcl html http ini java javascript json jsonc julia " +
    "kotlin latex lisp lua make markdown matlab nginx nix ocaml pascal perl php powershell prolog " +
    "proto python r ruby rust scala scheme scss solidity sql svelte swift systemd toml tsx typescript " +
    "vhdl vue xml yaml zig"
  ).split(" "),
);

/** Other names that models write behind ```. */
const ALIASES: Readonly<Record<string, string>> = {
  "c#": "csharp",
  "c++": "cpp",
  cc: "cpp",
  clj: "clojure",
  console: "bash",
  cs: "csharp",
  dockerfile: "docker",
  elisp: "lisp",
  ex: "elixir",
  "f#": "fsharp",
  gql: "graphql",
  h: "c",
  hpp: "cpp",
  hs: "haskell",
  js: "javascript",
  json5: "jsonc",
  jsx: "tsx",
  kt: "kotlin",
  makefile: "make",
  md: "markdown",
  mjs: "javascript",
  nasm: "asm",
  patch: "diff",
  pl: "perl",
  protobuf: "proto",
  ps1: "powershell",
  py: "python",
  python3: "python",
  rb: "ruby",
  rs: "rust",
  sh: "bash",
  shell: "bash",
  svg: "xml",
  terraform: "hcl",
  tex: "latex",
  ts: "typescript",
  yml: "yaml",
  zsh: "bash",
};

/** Returns the language that the words behind ``` name, under one name; empty if they name none. */
export function languageOf(info: string | undefined): string {
  const word = /^[^\s{,:;]*/.exec(info?.trim() ?? "")?.[0].toLowerCase() ?? "";
  return Object.hasOwn(ALIASES, word) ? (ALIASES[word] ?? word) : word;
}

/** Whether code in a language can be highlighted. */
export function isHighlighted(language: string): boolean {
  return LANGUAGES.has(language);
}
