import { readdirSync, readFileSync } from "node:fs";
import type { Token } from "marked";
import { describe, expect, test } from "vitest";
import { Blocks } from "../../src/markdown/blocks";
import { lex, noDefinitions, parses } from "../../src/markdown/lexer";
import { FRAGMENTS } from "./fragments";

const DOCS = new URL("../../../../docs/", import.meta.url);
const PAGES = readdirSync(DOCS).filter((name) => name.endsWith(".md"));

/** Numbers that look random and are the same in each run (a linear congruential generator). */
function numbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

/** What of tokens is shown: not how the source was, and not the space between blocks. */
function shown(value: unknown): unknown {
  if (Array.isArray(value)) {
    return value.filter((one: Token) => one?.type !== "space").map(shown);
  }
  if (value === null || typeof value !== "object") return value;
  const entries = Object.entries(value).filter(([key]) => key !== "raw");
  return Object.fromEntries(entries.map(([key, inner]) => [key, shown(inner)]));
}

const atOnce = (text: string) => shown(lex(text.replace(/\r\n?/g, "\n"), noDefinitions()));
const inBlocks = (blocks: Blocks, text: string, isDone = true) =>
  shown(blocks.update(text, isDone).flatMap((block) => [...block.tokens]));

/** Feeds a text in pieces, looking at it as a page would after each. */
function streamed(text: string, pieces: (left: number) => number): unknown {
  const blocks = new Blocks();
  for (let end = 0; end < text.length; end += Math.max(1, pieces(text.length - end))) {
    for (const block of blocks.update(text.slice(0, end), false)) void block.tokens;
  }
  return inBlocks(blocks, text);
}

function mixed(random: (below: number) => number): string {
  const count = 2 + random(6);
  const picked = Array.from({ length: count }, () => FRAGMENTS[random(FRAGMENTS.length)]);
  return picked.join(["\n\n", "\n\n", "\n", "\n \n", "\r\n\r\n", "\n\n\n"][random(6)]);
}

describe("a text in blocks", () => {
  test.each(PAGES)("is what it is at once: %s", (name) => {
    const text = readFileSync(new URL(name, DOCS), "utf8").slice(0, 8_000);
    const random = numbers(name.length);

    expect(streamed(text, () => random(400))).toEqual(atOnce(text));
  });

  test("is what it is at once, with 250 mixtures cut at random places", () => {
    for (let seed = 1; seed <= 250; seed += 1) {
      const random = numbers(seed);
      const text = mixed(random);
      const result = streamed(text, () => random(30));
      expect(result, `seed ${seed}: ${JSON.stringify(text)}`).toEqual(atOnce(text));
    }
  });

  test("shows at each moment what the text up to there is at once", () => {
    for (let seed = 1; seed <= 25; seed += 1) {
      const text = mixed(numbers(seed)).replaceAll("]:", "] :");
      const blocks = new Blocks();
      for (let end = 0; end <= text.length; end += 1) {
        const part = text.slice(0, end);
        const message = `seed ${seed}: ${JSON.stringify(part)}`;
        expect(inBlocks(blocks, part, false), message).toEqual(atOnce(part));
      }
    }
  });
});

describe("what is done", () => {
  const paragraphs = Array.from({ length: 50 }, (_, n) => `Paragraph **${n}** with \`code\`.\n\n`);

  test("is never parsed again", () => {
    const blocks = new Blocks();
    let text = "";
    for (const paragraph of paragraphs) {
      text += paragraph;
      for (const block of blocks.update(text, false)) void block.tokens;
    }
    const before = parses.count;

    const word = blocks.update(`${text}One more word`, false);
    for (const block of word) void block.tokens;

    expect(word.length).toBe(51);
    expect(parses.count - before).toBe(1);
  });

  test("is the same object as long as it is shown", () => {
    const blocks = new Blocks();
    const first = blocks.update(paragraphs.join(""), false);
    const second = blocks.update(`${paragraphs.join("")}more`, false);

    expect(second.slice(0, 49).every((block, at) => block === first[at])).toBe(true);
  });

  test("keeps its key when the open block ends", () => {
    const blocks = new Blocks();
    const open = blocks.update("one\n\ntw", false).at(-1);
    const done = blocks.update("one\n\ntwo\n\nthree\n", false)[1];

    expect(done?.key).toBe(open?.key);
  });

  test("stays when the end of a stopped text is cut off", () => {
    const blocks = new Blocks();
    const before = blocks.update(paragraphs.join(""), false);
    const after = blocks.update(paragraphs.slice(0, 40).join(""), true);

    expect(after.length).toBe(40);
    expect(after.filter((block, at) => block === before[at]).length).toBeGreaterThanOrEqual(38);
    expect(inBlocks(blocks, paragraphs.slice(0, 40).join(""))).toEqual(
      atOnce(paragraphs.slice(0, 40).join("")),
    );
  });

  test("is made again when a reference in it is defined, and only that", () => {
    const blocks = new Blocks();
    const before = blocks.update("See [this][a].\n\nNothing.\n\nNote[^1].\n\nend\n\n", false);
    const after = blocks.update(
      "See [this][a].\n\nNothing.\n\nNote[^1].\n\nend\n\n[A]: https://a.example\n[^1]: Said.",
      true,
    );

    expect(after.map((block, at) => block === before[at])).toEqual([false, true, false, true, false]);
    expect(JSON.stringify(after[0]?.tokens)).toContain("https://a.example");
    expect(JSON.stringify(after[2]?.tokens)).toContain("noteReference");
  });

  test("of another text is thrown away", () => {
    const blocks = new Blocks();
    blocks.update("# One\n\ntwo\n\nthree\n\nfour", false);

    expect(inBlocks(blocks, "Other\n\ntext")).toEqual(atOnce("Other\n\ntext"));
  });
});

describe("text that is made to hurt", () => {
  const n = 20_000;
  test.each([
    ["quotes in quotes", ">".repeat(n)],
    ["quotes with lazy lines", `${">".repeat(200)} a\nb\n`.repeat(20)],
    ["lists in lists", Array.from({ length: 400 }, (_, at) => `${"  ".repeat(at)}- a`).join("\n")],
    ["bullets", "- ".repeat(n)],
    ["brackets", "[".repeat(n)],
    ["links in links", "[a](".repeat(n / 4)],
    ["emphasis", "*a **b ".repeat(n / 7)],
    ["stars", "*".repeat(n)],
    ["dollars", "$a".repeat(n / 2)],
    ["formulas that do not end", "\\(a".repeat(n / 3)],
    ["backticks", Array.from({ length: 200 }, (_, at) => "`".repeat(at)).join(" ")],
    ["angles", "<a ".repeat(n / 3)],
    ["a wide table", `${"|a".repeat(2_000)}|\n${"|-".repeat(2_000)}|\n`],
    ["references", "[^a]".repeat(n / 4)],
    ["one line", "word ".repeat(50_000)],
  ])("takes no more than ten seconds: %s", { timeout: 60_000 }, (_, text) => {
    const begun = performance.now();
    const blocks = new Blocks().update(text, true);
    for (const block of blocks) void block.tokens;

    expect(performance.now() - begun).toBeLessThan(10_000);
  });
});
