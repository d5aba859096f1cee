import { describe, expect, it } from "vitest";
import { type Command, Follower, type ServerEvent } from "../src/index.js";
import { chunk, greeting, message } from "./values.js";

const typing: ServerEvent = {
  type: "ai_typing",
  message: "",
  generation_id: "g1",
  message_id: "a1",
  ai_message: message({ id: "a1", role: "assistant", status: "streaming", content: "", revision: 2 }),
};
const complete: ServerEvent = {
  type: "ai_message_complete",
  generation_id: "g1",
  message: message({ id: "a1", role: "assistant", content: "Hello", revision: 3, seq: 2 }),
};

function fed(...events: ServerEvent[]): { follower: Follower; commands: Command[] } {
  const follower = new Follower();
  const commands = events.flatMap((event) => [...follower.feed(event).commands]);
  return { follower, commands };
}

describe("the log of a running generation", () => {
  it("appends what continues", () => {
    const { follower } = fed(greeting(), typing, chunk(0, 1, "Hel"), chunk(1, 3, "lo"));
    expect(follower.running).toMatchObject({ text: "Hello", have: 3 });
  });

  it("drops what it has", () => {
    const { follower, commands } = fed(greeting(), typing, chunk(0, 2, "Hel"), chunk(1, 2, "l"));
    expect(follower.running?.text).toBe("Hel");
    expect(commands).toEqual([]);
  });

  it("begins again with a snapshot", () => {
    const { follower } = fed(greeting(), typing, chunk(0, 2, "Hel"), chunk(0, 4, "Hello!"));
    expect(follower.running).toMatchObject({ text: "Hello!", have: 4 });
  });

  it("asks for what is missing", () => {
    const { commands } = fed(greeting(), typing, chunk(0, 1, "H"), chunk(2, 3, "l"));
    expect(commands).toEqual([{ type: "resume", generation_id: "g1", after_seq: 1 }]);
  });

  it("ends for good", () => {
    const { follower } = fed(greeting(), typing, chunk(0, 1, "H"), complete, chunk(0, 2, "He"));
    expect(follower.running).toBeUndefined();
    expect(follower.isEnded("g1")).toBe(true);
  });
});

describe("the head in a pong", () => {
  const pong = (revision: number, seq?: number): ServerEvent => ({
    type: "pong",
    t: null,
    revision,
    generation: seq === undefined ? null : { generation_id: "g1", seq },
  });

  it("finds a lost last frame", () => {
    const { commands } = fed(greeting(), typing, chunk(0, 1, "H"), pong(2, 5));
    expect(commands).toEqual([{ type: "resume", generation_id: "g1", after_seq: 1 }]);
  });

  it("finds a generation that was never heard of", () => {
    const { commands } = fed(greeting(), pong(0, 5));
    expect(commands).toEqual([{ type: "resume", generation_id: "g1", after_seq: 0 }]);
  });

  it("finds a lost end", () => {
    const { commands } = fed(greeting(), typing, chunk(0, 1, "H"), pong(3));
    expect(commands).toEqual([{ type: "resume", generation_id: "g1", after_seq: 1 }]);
  });

  it("tells a lost row from one whose event is on its way", () => {
    const follower = new Follower();
    follower.feed(greeting());
    expect(follower.feed(pong(1)).isBehind).toBe(false);
    expect(follower.feed(pong(1)).isBehind).toBe(true);
  });
});

describe("the query of the next connection", () => {
  it("asks for everything after the last revision, in the same store", () => {
    const { follower } = fed(greeting({ revision: 7 }), complete);
    expect(follower.query()).toEqual({ chunks: "delta", since: "7", epoch: "e1" });
  });

  it("does not take the greeting's revision for seen when it had one", () => {
    const { follower } = fed(greeting({ revision: 1 }), greeting({ revision: 9 }));
    expect(follower.revision).toBe(1);
  });

  it("starts over when the server says so", () => {
    const follower = new Follower();
    follower.feed(greeting({ revision: 1 }));
    const step = follower.feed(greeting({ revision: 900, reload: true, epoch: "e2" }));
    expect(step.mustReload).toBe(true);
    expect(follower.query()).toMatchObject({ since: "900", epoch: "e2" });
  });
});

describe("under loss, doubling and reordering across connections", () => {
  // A server with a log and a network that loses: whatever happens, pongs make the text right.
  it.each(Array.from({ length: 300 }, (_, seed) => seed))("converges: seed %i", (seed) => {
    const random = generator(seed);
    const entries = Array.from({ length: 30 }, (_, i) => `${i} `);
    const whole = entries.join("");
    const follower = new Follower();
    const deliver = (event: ServerEvent): void => {
      if (random() < 0.15) return;
      for (const command of follower.feed(event).commands) answer(command);
    };
    let produced = 0;
    const answer = (command: Command): void => {
      if (random() < 0.15 || command.type !== "resume") return;
      const from = command.after_seq;
      if (from < produced) deliver(chunk(from, produced, entries.slice(from, produced).join("")));
    };
    follower.feed(greeting());
    follower.feed(typing);
    while (produced < entries.length) {
      const seq = Math.min(entries.length, produced + 1 + Math.floor(random() * 3));
      const event = chunk(produced, seq, entries.slice(produced, seq).join(""));
      produced = seq;
      deliver(event);
      if (random() < 0.1) deliver(event);
      expect(whole.startsWith(follower.running?.text ?? "")).toBe(true);
    }
    for (let i = 0; i < 100 && follower.running?.have !== produced; i += 1) {
      deliver({ type: "pong", t: null, revision: 2, generation: { generation_id: "g1", seq: produced } });
    }
    expect(follower.running?.text).toBe(whole);
  });
});

/** Returns numbers from 0 to 1, the same for the same seed (mulberry32). */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}
