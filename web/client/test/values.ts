import type { AiMessageChunk, Message, SessionGreeting } from "../src/index.js";

/** Returns a stored message with everything that a test does not care about. */
export function message(fields: Partial<Message> = {}): Message {
  return {
    id: "m1",
    session_id: "s1",
    seq: 1,
    revision: 1,
    parent_id: null,
    role: "user",
    content: "hi",
    parts: [],
    status: "complete",
    model: null,
    generation_id: "g1",
    client_id: null,
    usage: null,
    finish_reason: null,
    error: null,
    created_at: "2026-01-01T00:00:00Z",
    updated_at: "2026-01-01T00:00:00Z",
    ...fields,
  } as Message;
}

export function chunk(prev: number, seq: number, content: string): AiMessageChunk {
  return { type: "ai_message_chunk", generation_id: "g1", message_id: "a1", prev, seq, content };
}

export function greeting(fields: Partial<SessionGreeting> = {}): SessionGreeting {
  return {
    type: "connection_established",
    message: "",
    session_id: "s1",
    revision: 0,
    head_id: null,
    epoch: "e1",
    generation: null,
    server: "chatd/0",
    protocol: 1,
    ping_interval: 25,
    ...fields,
  };
}
