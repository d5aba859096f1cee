import type { LogEvent } from "./wire.js";

/** A call of a tool during a generation, and what it gave. */
export interface ToolUse {
  readonly id: string;
  readonly name: string;
  readonly arguments: string;
  readonly result?: unknown;
  readonly isError?: boolean;
}

/** A run of text or reasoning, or a tool's use, as a generation produced them one behind the other. */
export type RunningPart =
  | { readonly type: "text" | "reasoning"; readonly text: string }
  | ({ readonly type: "tool" } & ToolUse);

/** What a running generation has produced so far. Never changed: each step makes another. */
export interface Running {
  readonly generationId: string;
  readonly messageId: string;
  /** The last entry of the log that was seen. */
  readonly have: number;
  readonly text: string;
  readonly reasoning: string;
  readonly tools: readonly ToolUse[];
  /** All of this in its order. */
  readonly parts: readonly RunningPart[];
}

/** Returns a generation of which nothing was seen yet. */
export function begun(generationId: string, messageId: string): Running {
  return { generationId, messageId, have: 0, text: "", reasoning: "", tools: [], parts: [] };
}

/**
 * Returns what is known after an entry of the log, by the client's rule (PROTOCOL section 4.3);
 * the same object if it brought nothing new, and undefined if entries before it are missing.
 */
export function follow(running: Running, event: LogEvent): Running | undefined {
  if (event.seq <= running.have) return running;
  if (event.prev !== running.have && event.prev !== 0) return undefined;
  const messageId = running.messageId || event.message_id;
  const from = event.prev === running.have ? running : begun(running.generationId, messageId);
  return { ...from, ...added(from, event), messageId, have: event.seq };
}

function added(running: Running, event: LogEvent): Partial<Running> {
  const { parts } = running;
  switch (event.type) {
    case "ai_message_chunk":
      return { text: running.text + event.content, parts: longer(parts, "text", event.content) };
    case "ai_reasoning_chunk":
      return {
        reasoning: running.reasoning + event.content,
        parts: longer(parts, "reasoning", event.content),
      };
    case "ai_tool_call": {
      const tool = { id: event.tool_call_id, name: event.name, arguments: event.arguments };
      return { tools: [...running.tools, tool], parts: [...parts, { type: "tool", ...tool }] };
    }
    case "ai_tool_result": {
      const { result, is_error: isError } = event;
      const told = <One extends ToolUse>(tool: One): One =>
        tool.id === event.tool_call_id ? { ...tool, result, isError } : tool;
      return {
        tools: running.tools.map(told),
        parts: parts.map((part) => (part.type === "tool" ? told(part) : part)),
      };
    }
  }
}

/** Returns the parts with more at their end. */
function longer(
  parts: readonly RunningPart[],
  type: "text" | "reasoning",
  text: string,
): readonly RunningPart[] {
  const last = parts.at(-1);
  if (last?.type !== type) return [...parts, { type, text }];
  return [...parts.slice(0, -1), { type, text: last.text + text }];
}
