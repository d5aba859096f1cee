import { describe, expect, test } from "vitest";
import { GRAMMARS } from "../../src/markdown/code/grammars";
import { isHighlighted, languageOf, LANGUAGES } from "../../src/markdown/code/languages";
import { tokenize } from "../../src/markdown/code/tokenizing";

const CODE = 'def f(x: int) -> str:\n    """Say\n    it."""\n    return f"{x}"  # done\n';

describe("the language of code", () => {
  test.each([
    ["py title=\"x\"", "python"],
    ["JavaScript {1,3}", "javascript"],
    ["c++", "cpp"],
    ["", ""],
    [undefined, ""],
    ["__proto__", "__proto__"],
    ["constructor", "constructor"],
  ])("%s", (info, language) => {
    expect(languageOf(info)).toBe(language);
  });

  test("has a grammar exactly if it is highlighted", () => {
    expect([...LANGUAGES].sort()).toEqual(Object.keys(GRAMMARS).sort());
    expect(isHighlighted("__proto__")).toBe(false);
  });
});

describe("code in colours", () => {
  test("has all of its characters", async () => {
    const { from, lines } = await tokenize("a", "python", CODE);

    expect(from).toBe(0);
    expect(lines.map((line) => line.map(([, text]) => text).join("")).join("\n")).toBe(CODE.trimEnd());
    expect(lines[0]?.[0]).toEqual(["keyword", "def"]);
    expect(lines[3]?.at(-1)).toEqual(["comment", "# done"]);
  });

  test("is the same when it came in pieces, and only what is new is looked at", async () => {
    const whole = (await tokenize("whole", "python", CODE)).lines;
    const places = [...CODE.matchAll(/\n/g)].map(({ index }) => index + 1);
    const pieces = [];
    for (const place of places) {
      const { from, lines } = await tokenize("pieces", "python", CODE.slice(0, place));
      expect(from).toBe(pieces.length);
      pieces.push(...lines);
    }

    expect(pieces).toEqual(whole);
  });

  test("of no known language has none", async () => {
    expect(await tokenize("b", "klingon", "qapla'\n")).toEqual({ from: 0, lines: [] });
  });
});
