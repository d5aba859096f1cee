import { describe, expect, it } from "vitest";
import { Chatd } from "../src/index.js";
import { HOPELESS } from "../src/link.js";
import { isLive, serving, until, words } from "./server.js";

const server = serving();

describe("a server that dies in mid-stream", () => {
  it("interrupts the answer once, and the next turn goes on in the same session", async () => {
    const session = await server.session();
    const list = server.client().sessions();
    list.open();
    await expect.poll(() => list.state.connection).toBe("live");
    const turn = session.send("[words:400][pace:20] a long story");
    await until(session, ({ running }) => (running?.have ?? 0) > 60);
    await server.kill();
    await until(session, ({ connection }) => connection === "waiting");
    await expect.poll(() => list.state.connection).toBe("waiting");
    expect(list.state.retryAt).toBeGreaterThan(0);
    const waiting = session.send("[words:3] while it is away");
    expect(session.state.pending).toHaveLength(1);
    await server.start();
    await expect(turn.ended).rejects.toMatchObject({ code: "generation_interrupted" });
    expect(words((await waiting.ended).content)).toHaveLength(3);
    const { results } = await server.client().api.messages(session.id);
    expect(results.map(({ status }) => status)).toEqual([
      "complete",
      "interrupted",
      "complete",
      "complete",
    ]);
    // Text older than a second survives: sixty words at fifty a second are more.
    expect(results[1]?.content.length).toBeGreaterThan(0);
    expect(session.state.messages).toEqual(results);
    await expect.poll(() => list.state.connection).toBe("live");
    expect(list.state.retryAt).toBeUndefined();
    list.close();
    session.close();
  });

  it("is talked to by sockets again, however long it was away", async () => {
    const session = await server.session();
    await until(session, isLive);
    await server.kill();
    const attempts = new Set<number | undefined>();
    await until(session, ({ retryAt }) => attempts.add(retryAt).size > 2 * HOPELESS);
    await server.start();
    await until(session, isLive);
    const other = server.client().session(session.id);
    await other.open();
    await until(other, isLive);
    other.sayTyping();
    // What stands in for a socket does not tell that somebody types.
    await until(session, ({ typing }) => typing.length === 1);
    other.close();
    session.close();
  });
});

describe("a token that the server does not know", () => {
  it("is told of, beside the error", async () => {
    let told = 0;
    const chatd = new Chatd({ url: server.url, token: "unknown", onUnauthorized: () => (told += 1) });
    await expect(chatd.api.me()).rejects.toMatchObject({ code: "unauthorized" });
    await expect(chatd.api.session("nothing")).rejects.toMatchObject({ code: "unauthorized" });
    expect(told).toBe(2);
  });
});
