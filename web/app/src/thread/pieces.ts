/** What a message consists of, in its order: text, reasoning, uses of tools. */
import type { Message, Part, Running, RunningPart } from "@chatd/client";

export interface ToolPiece {
  readonly kind: "tool";
  readonly id: string;
  readonly name: string;
  readonly arguments: string;
  readonly result?: unknown;
  readonly isError?: boolean;
  /** Whether there is a result, whatever it is. */
  readonly isDone: boolean;
}

export type Piece = { readonly kind: "text" | "reasoning"; readonly text: string } | ToolPiece;

/** Returns the pieces of a message: of one that runs, what has come up to now. */
export function piecesOf(message: Message, running?: Running): readonly Piece[] {
  if (running) return running.parts.map(ofRunning);
  if (message.parts.length > 0) return ofStored(message.parts);
  return message.content ? [{ kind: "text", text: message.content }] : [];
}

function ofRunning(part: RunningPart): Piece {
  if (part.type !== "tool") return { kind: part.type, text: part.text };
  const { type: kind, ...tool } = part;
  return { kind, ...tool, isDone: "result" in part };
}

/** A call and its result are stored one behind the other, and shown as one. */
function ofStored(parts: readonly Part[]): readonly Piece[] {
  const results = new Map<string, Part>();
  for (const part of parts) {
    if (part.type === "tool_result") results.set(part.tool_call_id ?? "", part);
  }
  return parts.flatMap((part): Piece[] => {
    if (part.type === "tool_result") return [];
    if (part.type !== "tool_call") return part.text ? [{ kind: part.type, text: part.text }] : [];
    const id = part.tool_call_id ?? "";
    const result = results.get(id);
    return [
      {
        kind: "tool",
        id,
        name: part.name ?? "",
        arguments: part.arguments ?? "",
        isDone: result !== undefined,
        ...(result ? { result: result.result, isError: result.is_error ?? false } : {}),
      },
    ];
  });
}

/** Returns the text alone, as it is copied. */
export function textOf(message: Message): string {
  return message.content || piecesOf(message).map((piece) => ("text" in piece ? piece.text : "")).join("");
}
