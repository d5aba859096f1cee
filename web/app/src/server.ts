/** The server that this page came from, and the token for it. */
import { Api, Chatd, type ChatdError } from "@chatd/client";
import { Store } from "./store";

const TOKEN = "chatd.token";
const ORIGIN = "chatd.token_origin";

/** Where a token is from: one that was made for this page is revoked when one signs out. */
type Origin = "ticket" | "password" | "pasted";

/** `in` without a token: the server knows its callers in another way, as by a proxy. */
export type Gate =
  | { readonly is: "checking" }
  | { readonly is: "out"; readonly reason?: "usedLink" | "expired" | "signedOut" | "unreachable" }
  | { readonly is: "in"; readonly chatd: Chatd };

export const gate = new Store<Gate>({ is: "checking" });

function prefix(): string {
  const meta = document.querySelector<HTMLMetaElement>('meta[name="chatd-prefix"]');
  return meta?.content || "/ai-chat";
}

const place = () => ({ url: location.origin, prefix: prefix() });

/** Returns the REST interface for somebody who is not signed in, or with a token that is tried. */
export function stranger(token?: string): Api {
  return new Api({ ...place(), token });
}

export function storedToken(): string | undefined {
  return localStorage.getItem(TOKEN) ?? undefined;
}

/** Keeps a token and lets its owner in. */
export function enterWith(token: string, origin: Origin): void {
  localStorage.setItem(TOKEN, token);
  localStorage.setItem(ORIGIN, origin);
  enter(token);
}

function enter(token: string | undefined): void {
  const chatd: Chatd = new Chatd({ ...place(), token, onUnauthorized: () => expire(chatd) });
  gate.set({ is: "in", chatd });
}

/**
 * The token is not valid any more: whatever was open closes, and one may sign in again. A late answer to
 * a token that was left says nothing of the one that is used now.
 */
export function expire(chatd: Chatd): void {
  if (gate.value.is === "in" && gate.value.chatd === chatd) leave("expired");
}

function leave(reason: "expired" | "signedOut"): void {
  localStorage.removeItem(TOKEN);
  localStorage.removeItem(ORIGIN);
  gate.set({ is: "out", reason });
}

/** Forgets the token; one that was made for this page is revoked. */
export async function signOut(): Promise<void> {
  const { value } = gate;
  if (value.is !== "in") return;
  const isOurs = ["ticket", "password"].includes(localStorage.getItem(ORIGIN) ?? "");
  if (isOurs && value.chatd.api.token) await value.chatd.api.signOut();
  leave("signedOut");
}

/** Finds out who one is: by the ticket in the address, a kept token, or what the server knows. */
export async function begin(): Promise<void> {
  addEventListener("storage", followOtherTabs);
  const ticket = takeTicket();
  const trouble = ticket ? await redeem(ticket) : undefined;
  if (gate.value.is === "in") return;
  if (storedToken()) return enter(storedToken());
  if (await isKnown()) return enter(undefined);
  gate.set({ is: "out", ...(trouble ? { reason: trouble } : {}) });
}

/** Returns the ticket of a printed link, and takes it out of the address: it is good once. */
function takeTicket(): string | null {
  const ticket = new URLSearchParams(location.search).get("ticket");
  if (ticket) history.replaceState(null, "", location.pathname + location.hash);
  return ticket;
}

/** Returns why a ticket does not let one in; whoever is signed in already need not care. */
async function redeem(ticket: string): Promise<"usedLink" | "unreachable" | undefined> {
  try {
    const { token } = await stranger().signIn({ ticket });
    enterWith(token, "ticket");
    return undefined;
  } catch (error) {
    return (error as ChatdError).code === "unauthorized" ? "usedLink" : "unreachable";
  }
}

const isKnown = () => stranger().me().then(() => true, () => false);

function followOtherTabs({ key, newValue }: StorageEvent): void {
  if (key !== TOKEN) return;
  if (newValue) enter(newValue);
  else if (gate.value.is === "in") gate.set({ is: "out", reason: "signedOut" });
}
