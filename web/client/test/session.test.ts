import { describe, expect, it } from "vitest";
import type { ChatState } from "../src/index.js";
import { isLive, Proxy, serving, TOKEN, until, words } from "./server.js";

const server = serving();
const texts = ({ messages }: ChatState) => messages.map(({ content }) => content);

describe("a session", () => {
  it("sends, streams and ends", async () => {
    const session = await server.session();
    const seen: string[] = [];
    session.subscribe(() => seen.push(session.state.running?.text ?? ""));
    const turn = session.send("[words:20] hello");
    expect(session.state.pending).toHaveLength(1);
    const answer = await turn.ended;
    expect(answer).toMatchObject({ role: "assistant", status: "complete" });
    expect(words(answer.content)).toHaveLength(20);
    expect(texts(session.state)).toEqual(["[words:20] hello", answer.content]);
    expect(session.state).toMatchObject({ running: undefined, pending: [] });
    expect(seen.some((text) => text && answer.content.startsWith(text))).toBe(true);
    session.close();
  });

  it("shows two tabs the same", async () => {
    const one = await server.session();
    const other = server.client().session(one.id);
    await other.open();
    await Promise.all([until(one, isLive), until(other, isLive)]);
    await one.send("[words:5] one").ended;
    await until(other, ({ messages, running }) => messages.length === 2 && !running);
    await other.send("[words:5] two").ended;
    await until(one, ({ messages, running }) => messages.length === 4 && !running);
    expect(one.state.messages).toEqual(other.state.messages);
    one.close();
    other.close();
  });

  it("goes on after a reload in mid-stream", async () => {
    const before = await server.session();
    before.send("[words:60][pace:20] a long story");
    await until(before, ({ running }) => (running?.have ?? 0) > 10);
    before.close();
    const after = server.client().session(before.id);
    await after.open();
    const { running } = await until(after, (state) => state.running !== undefined);
    const shown = running?.text ?? "";
    const { messages } = await until(after, (state) => !state.running && state.messages.length === 2);
    expect(messages[1]?.status).toBe("complete");
    expect(messages[1]?.content.startsWith(shown)).toBe(true);
    expect(words(messages[1]?.content)).toHaveLength(60);
    after.close();
  });

  it("stops, and keeps what was seen", async () => {
    const session = await server.session();
    const turn = session.send("[words:500][pace:20] never mind");
    await until(session, ({ running }) => (running?.have ?? 0) > 3);
    const seen = session.state.running?.text ?? "";
    session.stop();
    const answer = await turn.ended;
    expect(answer.status).toBe("stopped");
    expect(answer.content).toBe(seen);
    session.close();
  });

  it("regenerates, edits and selects", async () => {
    const session = await server.session();
    const first = await session.send("[words:3] one").ended;
    const second = await session.regenerate().ended;
    expect(second.id).not.toBe(first.id);
    expect(session.state.messages.map(({ id }) => id)).toEqual([first.parent_id, second.id]);
    expect(session.siblings(second).map(({ id }) => id)).toEqual([first.id, second.id]);
    await session.select(first.id);
    await until(session, ({ messages }) => messages.at(-1)?.id === first.id);
    const question = session.state.messages[0];
    await session.edit(question?.id ?? "", "[words:3] other").ended;
    expect(texts(session.state)[0]).toBe("[words:3] other");
    expect(session.state.messages).toHaveLength(2);
    // Somebody who comes new sees the same, and can load what is not shown.
    const other = server.client().session(session.id);
    await other.open();
    expect(other.state.messages.map(({ id }) => id)).toEqual(session.state.messages.map(({ id }) => id));
    const shown = other.state.messages[1];
    if (!shown) throw new Error("there is no answer");
    await other.loadBranches(shown);
    const [edited] = other.state.messages;
    expect(edited && other.siblings(edited)).toHaveLength(2);
    session.close();
    other.close();
  });

  it("loads older messages page by page", async () => {
    const session = await server.session();
    for (let i = 0; i < 30; i += 1) await session.send(`[words:1] ${i}`).ended;
    session.close();
    const later = server.client().session(session.id);
    await later.open();
    expect(later.state.messages).toHaveLength(50);
    expect(later.state.hasOlder).toBe(true);
    await later.loadOlder();
    expect(later.state.messages).toHaveLength(60);
    expect(later.state.hasOlder).toBe(false);
    later.close();
  });

  it("says who types elsewhere", async () => {
    const one = await server.session();
    const other = server.client().session(one.id);
    await other.open();
    await Promise.all([until(one, isLive), until(other, isLive)]);
    one.sayTyping();
    await until(other, ({ typing }) => typing.length === 1);
    one.sayStoppedTyping();
    await until(other, ({ typing }) => typing.length === 0);
    one.close();
    other.close();
  });

  it("stops when it is told to", async () => {
    const session = await server.session();
    await until(session, isLive);
    await server.client().api.deleteSession(session.id);
    const { error } = await until(session, ({ connection }) => connection === "refused");
    expect(error?.code).toMatch(/session_deleted|not_found/);
    const nobodys = server.client().session("01990000-0000-7000-8000-000000000000");
    await expect(nobodys.open()).rejects.toMatchObject({ code: "not_found" });
  });

  it("says what is refused, and goes on", async () => {
    const session = await server.session();
    await expect(session.send("").ended).rejects.toMatchObject({ code: "invalid_input" });
    await session.send("[words:1] hi").ended;
    expect(session.state.messages).toHaveLength(2);
    session.close();
  });

  it("tells of a failed generation", async () => {
    const { id } = await server.client().api.createSession({ model: "no-such-model" });
    const session = server.client().session(id);
    await session.open();
    await expect(session.send("hi").ended).rejects.toMatchObject({ code: "model_unavailable" });
    session.close();
  });
});

describe("behind a bad network", () => {
  it("carries every turn out once, whatever is cut", async () => {
    let number = 0;
    // Lives of many lengths: in the handshake, in the middle of a frame, behind a turn.
    const lives = () => [400, 900, 1500, 2500, 4000, 7000][(number += 1) % 6] ?? 0;
    const proxy = await new Proxy(() => server.port, lives).open();
    const session = await server.session();
    session.close();
    const cut = server.client(proxy.url).session(session.id);
    await cut.open();
    const turns = Array.from({ length: 6 }, (_, i) => cut.send(`[words:40][pace:3] turn ${i}`));
    const answers = await Promise.all(turns.map(({ ended }) => ended));
    const { results } = await server.client().api.messages(session.id);
    expect(results).toHaveLength(12);
    expect(results.filter(({ role }) => role === "user").map(({ content }) => content)).toEqual(
      turns.map((_, i) => `[words:40][pace:3] turn ${i}`),
    );
    expect(results.filter(({ role }) => role === "assistant").map(({ id }) => id)).toEqual(
      answers.map(({ id }) => id),
    );
    expect(answers.every(({ content }) => words(content).length === 40)).toBe(true);
    expect(proxy.cuts).toBeGreaterThan(3);
    cut.close();
    proxy.close();
  });

  it("talks over SSE and REST where WebSockets are blocked", async () => {
    const noSockets = (head: string) => !/^upgrade: websocket/im.test(head);
    const proxy = await new Proxy(() => server.port, undefined, noSockets).open();
    const { id } = await server.client().api.createSession({ model: "qwen3:8b" });
    const session = server.client(proxy.url).session(id);
    await session.open();
    const turn = session.send("[words:30][pace:10] over SSE");
    await until(session, ({ running }) => (running?.have ?? 0) > 3);
    const answer = await turn.ended;
    expect(words(answer.content)).toHaveLength(30);
    expect(session.state.messages).toHaveLength(2);
    const stopped = session.send("[words:900][pace:10] stop this");
    await until(session, ({ running }) => (running?.have ?? 0) > 3);
    session.stop();
    expect((await stopped.ended).status).toBe("stopped");
    await expect(session.send("").ended).rejects.toMatchObject({ code: "invalid_input" });
    // What another device does is found.
    const other = server.client().session(id);
    await other.open();
    await other.send("[words:2] from elsewhere").ended;
    await until(session, ({ messages, running }) => messages.length === 6 && !running);
    expect(session.state.messages).toEqual(other.state.messages);
    session.close();
    other.close();
    proxy.close();
  });
});

describe("the session list", () => {
  it("shows at once what any device does", async () => {
    const client = server.client();
    const list = client.sessions();
    list.open();
    await expect.poll(() => list.state.connection).toBe("live");
    const { id, version } = await client.api.createSession({ title: "One" });
    const titles = () => list.state.sessions.filter((one) => one.id === id).map(({ title }) => title);
    await expect.poll(titles).toEqual(["One"]);
    await client.api.changeSession(id, { title: "Two" }, version);
    await expect.poll(titles).toEqual(["Two"]);
    await expect(client.api.changeSession(id, { title: "Three" }, version)).rejects.toMatchObject({
      code: "precondition_failed",
    });
    const session = client.session(id);
    await session.open();
    const turn = session.send("[words:30][pace:20] hi");
    await expect.poll(() => list.state.running.has(id)).toBe(true);
    await turn.ended.catch(() => undefined);
    await expect.poll(() => list.state.running.has(id)).toBe(false);
    await client.api.deleteSession(id);
    await expect.poll(titles).toEqual([]);
    session.close();
    list.close();
  });

  it("pages", async () => {
    const client = server.client();
    for (let i = 0; i < 60; i += 1) await client.api.createSession({ title: `${i}` });
    const list = client.sessions();
    list.open();
    await expect.poll(() => list.state.connection).toBe("live");
    expect(list.state.hasMore).toBe(true);
    while (list.state.hasMore) await list.loadMore();
    expect(new Set(list.state.sessions.map(({ id }) => id)).size).toBe(list.state.sessions.length);
    expect(list.state.sessions.length).toBeGreaterThanOrEqual(60);
    list.close();
  });
});

describe("a front end of the seed", () => {
  it("needs a WebSocket and a switch, no more", async () => {
    const { id } = await server.client().api.createSession({ model: "qwen3:8b" });
    const address = `${server.url.replace("http", "ws")}/ws/ai-chat/session/${id}/?token=${TOKEN}`;
    const socket = new WebSocket(address);
    const shown: string[] = [];
    let growing = "";
    await new Promise<void>((resolve, reject) => {
      socket.onmessage = (event) => {
        const data = JSON.parse(event.data as string);
        switch (data.type) {
          case "connection_established":
            socket.send(JSON.stringify({ type: "send_message", message: "[words:9] hi" }));
            break;
          case "user_message":
            shown.push(data.message.content);
            break;
          case "ai_typing":
            growing = "";
            break;
          case "ai_message_chunk":
            growing = data.full_content;
            break;
          case "ai_message_complete":
            shown.push(data.message.content);
            resolve();
            break;
          case "error":
            reject(new Error(data.message));
        }
      };
    });
    socket.close();
    expect(shown).toEqual(["[words:9] hi", growing]);
    expect(words(growing)).toHaveLength(9);
  });
});
