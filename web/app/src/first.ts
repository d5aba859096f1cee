/** The first message of a session that was just made: its thread sends it as soon as it is shown. */
import { newId } from "@chatd/client";

export interface First {
  readonly text: string;
  readonly clientId: string;
}

const waiting = new Map<string, First>();

export function putFirst(sessionId: string, text: string): void {
  waiting.set(sessionId, { text, clientId: newId() });
}

/** Returns the first message of a session, once. */
export function takeFirst(sessionId: string): First | undefined {
  const first = waiting.get(sessionId);
  waiting.delete(sessionId);
  return first;
}

const LONGEST_TITLE = 60;

/** Returns a title for a session that begins with a text. */
export function titleFor(text: string): string {
  const characters = [...text.trim().replace(/\s+/g, " ")];
  if (characters.length <= LONGEST_TITLE) return characters.join("");
  return `${characters.slice(0, LONGEST_TITLE - 1).join("")}…`;
}
