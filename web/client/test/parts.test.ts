import { describe, expect, it } from "vitest";
import { Backoff, begun, follow, type LogEvent, readEvents, Thread } from "../src/index.js";
import { message } from "./values.js";

describe("Thread", () => {
  const question = message({ id: "q", seq: 1 });
  const answer = message({ id: "a", seq: 2, parent_id: "q", role: "assistant" });
  const other = message({ id: "b", seq: 3, parent_id: "q", role: "assistant" });

  it("shows the messages from the head back", () => {
    const thread = new Thread();
    thread.put([question, answer, other]);
    thread.show("b");
    expect(thread.shown.map(({ id }) => id)).toEqual(["q", "b"]);
    thread.show("a");
    expect(thread.shown.map(({ id }) => id)).toEqual(["q", "a"]);
    expect(thread.siblings(answer).map(({ id }) => id)).toEqual(["a", "b"]);
    thread.put([message({ id: "c", seq: 4, parent_id: "q", role: "assistant" })]);
    expect(thread.siblings(answer).map(({ id }) => id)).toEqual(["a", "b", "c"]);
  });

  it("keeps of two states of a message the later one", () => {
    const thread = new Thread();
    thread.put([message({ revision: 5, content: "new" })]);
    thread.put([message({ revision: 2, content: "old" })]);
    expect(thread.get("m1")?.content).toBe("new");
  });

  it("knows that there are older ones", () => {
    const thread = new Thread();
    thread.put([answer]);
    thread.show("a");
    expect(thread.hasOlder).toBe(true);
    thread.put([question]);
    expect(thread.hasOlder).toBe(false);
  });

  it("does not show what it does not know", () => {
    expect(new Thread().show("nobody")).toBe(false);
  });
});

describe("what a generation has produced", () => {
  it("is known in its order, with runs of one kind as one", () => {
    const base = { generation_id: "g", message_id: "m" };
    const events = [
      { type: "ai_reasoning_chunk", content: "a ca" },
      { type: "ai_reasoning_chunk", content: "t?" },
      { type: "ai_message_chunk", content: "Let me look." },
      { type: "ai_tool_call", tool_call_id: "t", name: "look", arguments: "{}" },
      { type: "ai_tool_result", tool_call_id: "t", name: "look", result: 7, is_error: false },
      { type: "ai_message_chunk", content: "It is " },
      { type: "ai_message_chunk", content: "7." },
    ].map((event, at) => ({ ...base, ...event, prev: at, seq: at + 1 }) as LogEvent);
    const running = events.reduce((now, event) => follow(now, event) ?? now, begun("g", "m"));
    expect(running.parts).toEqual([
      { type: "reasoning", text: "a cat?" },
      { type: "text", text: "Let me look." },
      { type: "tool", id: "t", name: "look", arguments: "{}", result: 7, isError: false },
      { type: "text", text: "It is 7." },
    ]);
    expect(running.text).toBe("Let me look.It is 7.");
  });
});

describe("Backoff", () => {
  it("doubles up to its limit, and jitters over all of it", () => {
    const backoff = new Backoff(100, 1000, () => 1);
    expect([1, 2, 3, 4, 5, 6].map(() => backoff.next())).toEqual([100, 200, 400, 800, 1000, 1000]);
    backoff.reset();
    expect(backoff.next()).toBe(100);
    expect(new Backoff(100, 1000, () => 0).next()).toBe(0);
  });
});

describe("readEvents", () => {
  const stream = (bytes: Uint8Array, size: number): ReadableStream<Uint8Array> =>
    new ReadableStream({
      start(controller) {
        for (let i = 0; i < bytes.length; i += size) controller.enqueue(bytes.slice(i, i + size));
        controller.close();
      },
    });

  it.each(["\n", "\r", "\r\n"])("reads events cut at every byte, lines ending with %j", async (end) => {
    const lines = [": hello", "event: x", 'data: {"a":', 'data:"ü€😀"}', "", "id: 1", 'data: {"b":2}', "", ""];
    const bytes = new TextEncoder().encode(lines.join(end));
    for (let size = 1; size <= bytes.length; size += 1) {
      const events: unknown[] = [];
      for await (const event of readEvents(stream(bytes, size))) events.push(event);
      expect(events).toEqual([{ a: "ü€😀" }, { b: 2 }]);
    }
  });
});
