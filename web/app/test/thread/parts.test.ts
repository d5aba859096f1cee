// @vitest-environment happy-dom
import { begun, type Message } from "@chatd/client";
import { beforeEach, describe, expect, test } from "vitest";
import { firstGap } from "../../src/thread/branches";
import { draftOf, forgetKept, forgetUnsent, keepDraft, keepUnsent, unsentOf } from "../../src/thread/kept";
import { piecesOf, textOf } from "../../src/thread/pieces";
import { sentencesEnd, spoken } from "../../src/thread/spoken";

const message = (fields: Partial<Message>) =>
  ({ id: "m", seq: 1, parent_id: null, role: "assistant", content: "", parts: [], ...fields }) as Message;

describe("the pieces of a message", () => {
  const stored = message({
    content: "Let me look. It is 7.",
    parts: [
      { type: "reasoning", text: "hm" },
      { type: "text", text: "Let me look. " },
      { type: "tool_call", tool_call_id: "t", name: "look", arguments: "{}" },
      { type: "tool_result", tool_call_id: "t", name: "look", result: null },
      { type: "text", text: "It is 7." },
    ],
  });

  test("are in their order, a tool's call and result as one", () => {
    expect(piecesOf(stored)).toEqual([
      { kind: "reasoning", text: "hm" },
      { kind: "text", text: "Let me look. " },
      { kind: "tool", id: "t", name: "look", arguments: "{}", isDone: true, result: null, isError: false },
      { kind: "text", text: "It is 7." },
    ]);
  });

  test("are the same while it runs and when it is stored", () => {
    const running = {
      ...begun("g", "m"),
      parts: [
        { type: "reasoning", text: "hm" },
        { type: "text", text: "Let me look. " },
        { type: "tool", id: "t", name: "look", arguments: "{}", result: null, isError: false },
        { type: "text", text: "It is 7." },
      ] as const,
    };

    expect(piecesOf(stored, running)).toEqual(piecesOf(stored));
  });

  test("of a message that is text alone are its text", () => {
    expect(piecesOf(message({ content: "hi" }))).toEqual([{ kind: "text", text: "hi" }]);
    expect(piecesOf(message({ content: "" }))).toEqual([]);
    expect(textOf(stored)).toBe("Let me look. It is 7.");
  });
});

describe("a gap in the numbers of messages", () => {
  const thread = (...seqs: number[]) => seqs.map((seq) => message({ id: `m${seq}`, seq, parent_id: seq === 1 ? null : "p" }));

  test("tells that there are other branches", () => {
    expect(firstGap(thread(1, 2, 3, 4), false, 4)).toBeUndefined();
    expect(firstGap(thread(1, 2, 5, 6), false, 6)?.seq).toBe(5);
    expect(firstGap(thread(51, 52), false, 52)).toBeUndefined();
  });

  test("at the end tells of an older branch that is shown", () => {
    expect(firstGap(thread(1, 2), false, 4)?.seq).toBe(2);
    expect(firstGap(thread(1, 2), true, 4)).toBeUndefined();
  });

  test("at the beginning tells that the first message was edited", () => {
    const edited = [message({ id: "m3", seq: 3, parent_id: null }), message({ id: "m4", seq: 4, parent_id: "m3" })];
    expect(firstGap(edited, false, 4)?.seq).toBe(3);
  });
});

describe("what is said of an answer", () => {
  test.each([
    ["One. Two", "One."],
    ["One? Two! Three", "One? Two!"],
    ["1.5 is", ""],
    ["A line\nand", "A line\n"],
    ["He said “no.” And", "He said “no.”"],
    ["Text.\n\n```js\na. b\nc", "Text.\n\n"],
    ["Text.\n\n```js\na\n```\nmore. ", "Text.\n\n```js\na\n```\nmore."],
    ["これは文です。 次", "これは文です。"],
  ])("ends with a sentence: %j", (text, whole) => {
    expect(text.slice(0, sentencesEnd(text))).toBe(whole);
  });

  test("has no marks of Markdown", () => {
    expect(spoken("## Title\n\n- **one** `two` [three](https://x)\n\n```js\ncode\n```\nend", "(code)")).toBe(
      "Title\n\n one two three\n\n (code) \nend".trim(),
    );
  });
});

describe("what is kept", () => {
  beforeEach(() => localStorage.clear());

  test("are the drafts of each session", () => {
    keepDraft("a", "one");
    keepDraft("b", "two");
    keepDraft("b", "");

    expect([draftOf("a"), draftOf("b"), draftOf("c")]).toEqual(["one", "", ""]);
  });

  test("are messages that were not sent, once each and in their order", () => {
    keepUnsent("a", { text: "one", clientId: "1" });
    keepUnsent("a", { text: "two", clientId: "2" });
    keepUnsent("a", { text: "two", clientId: "2" });
    expect(unsentOf("a").map(({ text }) => text)).toEqual(["one", "two"]);

    forgetUnsent("a", "1");
    forgetUnsent("a", "2");
    expect(unsentOf("a")).toEqual([]);
    expect(localStorage.length).toBe(0);
  });

  test("is nothing that is broken, and nothing after signing out", () => {
    localStorage.setItem("chatd.unsent.a", "[{\"text\":1},7,null");
    expect(unsentOf("a")).toEqual([]);
    localStorage.setItem("chatd.unsent.a", "[{\"text\":1},7,null]");
    expect(unsentOf("a")).toEqual([]);
    keepDraft("a", "x");
    localStorage.setItem("chatd.token", "t");

    forgetKept();

    expect(Object.keys(localStorage)).toEqual(["chatd.token"]);
  });
});
