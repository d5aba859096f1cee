import type { Token } from "marked";
import { describe, expect, test } from "vitest";
import { lex, noDefinitions } from "../../src/markdown/lexer";
import type { Formula } from "../../src/markdown/maths";

function formulas(text: string): string[] {
  const found: string[] = [];
  const walk = (tokens: readonly Token[]) => {
    for (const token of tokens) {
      if (token.type === "maths") found.push(((token as Formula).isDisplay ? "D " : "") + token.text);
      if ("tokens" in token && token.tokens) walk(token.tokens);
      if (token.type === "list") for (const item of token.items) walk(item.tokens);
      if (token.type === "table") for (const cell of token.rows.flat()) walk(cell.tokens);
    }
  };
  walk(lex(text, noDefinitions()));
  return found;
}

describe("a formula", () => {
  test.each([
    ["The sum $a + b$ is $c$.", ["a + b", "c"]],
    ["$x$, $f(x)$, $90^\\circ$ and $5$", ["x", "f(x)", "90^\\circ", "5"]],
    ["\\(x_1\\) and \\(n\\)", ["x_1", "n"]],
    ["$$\na = b\n$$", ["D a = b"]],
    ["Then\n$$\n- a\n+ b\n= c\n$$\nholds.", ["D - a\n+ b\n= c"]],
    ["\\[\n\\int_0^1 x \\, dx\n\\]", ["D \\int_0^1 x \\, dx"]],
    ["in a line $$x^2$$ too", ["D x^2"]],
    ["- in a list: $x$\n- \\[ a = b \\]", ["x", "D a = b"]],
    ["| a |\n|---|\n| $x_1$ |", ["x_1"]],
    ["*of $a*b*c$ emphasis*", ["a*b*c"]],
    ["$\\text{costs \\$5}$", ["\\text{costs \\$5}"]],
    ["$P(A \\mid B)$ where $B$ holds", ["P(A \\mid B)", "B"]],
  ])("%s", (text, expected) => {
    expect(formulas(text)).toEqual(expected);
  });

  test.each([
    "It costs $5 and $10.",
    "Between $5-$10, or $5/$6.",
    "US$20 and A$30 for a$ and b$",
    "$5 million here and 6 million$ there",
    "a $ b $ c",
    "$ 5$ and $5 $",
    "one $ only",
    "`$x$` is code",
    "\\$x\\$ is escaped",
    "$a\n\nb$",
    "$$ a\n\nb $$",
    "\\[1\\] and \\[see\\]",
    "\\(see below\\)",
    "I paid $20 to Bob and Alice paid me $30 back$",
    "echo $HOME and $PATH now",
  ])("is none of these: %s", (text) => {
    expect(formulas(text)).toEqual([]);
  });
});
