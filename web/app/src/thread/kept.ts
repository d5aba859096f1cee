/** What this browser keeps of what was not sent: drafts, and messages that wait for a connection. */

const DRAFT = "chatd.draft.";
const UNSENT = "chatd.unsent.";

export interface Unsent {
  readonly text: string;
  readonly clientId: string;
}

function read(key: string): string | null {
  try {
    return localStorage.getItem(key);
  } catch {
    return null; // storage is forbidden: nothing is kept
  }
}

function write(key: string, value: string): void {
  try {
    if (value) localStorage.setItem(key, value);
    else localStorage.removeItem(key);
  } catch {
    // Forbidden, or full.
  }
}

export function draftOf(sessionId: string): string {
  return read(DRAFT + sessionId) ?? "";
}

export function keepDraft(sessionId: string, text: string): void {
  write(DRAFT + sessionId, text);
}

/** Returns the messages of a session that no server is known to have. */
export function unsentOf(sessionId: string): readonly Unsent[] {
  try {
    const list: unknown = JSON.parse(read(UNSENT + sessionId) ?? "[]");
    return Array.isArray(list) ? list.filter(isUnsent) : [];
  } catch {
    return [];
  }
}

function isUnsent(value: unknown): value is Unsent {
  const { text, clientId } = (value ?? {}) as Partial<Unsent>;
  return typeof text === "string" && typeof clientId === "string";
}

export function keepUnsent(sessionId: string, unsent: Unsent): void {
  const others = unsentOf(sessionId).filter(({ clientId }) => clientId !== unsent.clientId);
  write(UNSENT + sessionId, JSON.stringify([...others, unsent]));
}

export function forgetUnsent(sessionId: string, clientId: string): void {
  const rest = unsentOf(sessionId).filter((unsent) => unsent.clientId !== clientId);
  write(UNSENT + sessionId, rest.length > 0 ? JSON.stringify(rest) : "");
}

/** Forgets all of it: whoever signs out leaves nothing behind. */
export function forgetKept(): void {
  for (const key of Object.keys(localStorage)) {
    if (key.startsWith(DRAFT) || key.startsWith(UNSENT)) localStorage.removeItem(key);
  }
}
