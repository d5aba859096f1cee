import { describe, expect, it } from "vitest";
import type { ChatdError } from "../src/index.js";
import { Outbox } from "../src/outbox.js";
import type { Command, ServerEvent } from "../src/wire.js";
import { message } from "./values.js";

/** An outbox, what it has sent, and whether there is a connection. */
function outbox(isOpen = true) {
  const sent: Command[] = [];
  const line = { isOpen };
  const box = new Outbox(
    (command) => {
      if (line.isOpen) sent.push(command);
      return line.isOpen;
    },
    () => 7,
  );
  const send = (text: string, client_id: string) =>
    box.add({ type: "send_message", message: text, client_id });
  return { box, sent, line, send };
}

const stored = (clientId: string, generation = `g-${clientId}`): ServerEvent => ({
  type: "user_message",
  message: message({ client_id: clientId, generation_id: generation }),
});
const ended = (clientId: string): ServerEvent => ({
  type: "ai_message_complete",
  generation_id: `g-${clientId}`,
  message: message({ id: "a", role: "assistant", generation_id: `g-${clientId}`, content: "done" }),
});
const refused = (clientId: string, code: "rate_limited" | "invalid_input"): ServerEvent => ({
  type: "error",
  message: "No.",
  code,
  retryable: code === "rate_limited",
  client_id: clientId,
  retry_after: 0.01,
});

describe("the outbox", () => {
  it("sends one turn at a time", async () => {
    const { box, sent, send } = outbox();
    const one = send("one", "1");
    send("two", "2");
    expect(sent).toHaveLength(1);
    box.take(stored("1"));
    box.take(ended("1"));
    expect(await one.ended).toMatchObject({ content: "done" });
    expect(sent.map((command) => "client_id" in command && command.client_id)).toEqual(["1", "2"]);
  });

  it("keeps turns while there is no connection, and repeats what was not acknowledged", () => {
    const { box, sent, line, send } = outbox(false);
    send("one", "1");
    expect(sent).toEqual([]);
    line.isOpen = true;
    box.connected();
    box.connected();
    expect(sent).toHaveLength(2);
    box.take(stored("1"));
    box.connected();
    expect(sent).toHaveLength(2);
  });

  it("tries again what is refused for now", async () => {
    const { box, sent, send } = outbox();
    send("one", "1");
    box.take(refused("1", "rate_limited"));
    await expect.poll(() => sent.length).toBe(2);
  });

  it("gives up what is refused for good, and goes on with the next", async () => {
    const { box, sent, send } = outbox();
    const one = send("one", "1");
    send("two", "2");
    box.take(refused("1", "invalid_input"));
    await expect(one.ended).rejects.toMatchObject({ code: "invalid_input" } satisfies Partial<ChatdError>);
    expect(sent).toHaveLength(2);
  });

  it("withdraws a turn that was not sent, and stops one that runs", async () => {
    const { box, sent, send } = outbox();
    send("one", "1");
    const two = send("two", "2");
    box.stop(two);
    await expect(two.accepted).rejects.toMatchObject({ code: "withdrawn" });
    const [one] = box.pending;
    if (!one) throw new Error("the first turn is gone");
    box.stop(one);
    box.take(stored("1"));
    expect(sent.at(-1)).toEqual({ type: "stop_generation", generation_id: "g-1", seen_seq: 7 });
  });

  it("asks for the end of a turn that no longer runs", () => {
    const { box, sent, send } = outbox();
    send("one", "1");
    box.take(stored("1"));
    box.ponged(undefined);
    expect(sent).toHaveLength(2);
    box.ponged("g-1");
    expect(sent).toHaveLength(2);
  });
});
