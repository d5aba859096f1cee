/** Where in the page one is: the part of the address behind `#`. */
import { useSyncExternalStore } from "react";

export type View = "new" | "session" | "presets" | "search" | "settings" | "statistics" | "trash";

export interface Route {
  readonly view: View | "nowhere";
  /** Of a session or preset. */
  readonly id?: string;
  readonly query: URLSearchParams;
}

const VIEWS: readonly string[] = ["new", "presets", "search", "settings", "statistics", "trash"];
const ID = /^[0-9a-f-]{36}$/i;
/** Nothing else becomes part of a request's path. */
const NAME = /^[\w-]+$/;

/** Returns what an address means. Without a view it is a new session. */
export function parse(hash: string): Route {
  const [path = "", query = ""] = hash.replace(/^#\/?/, "").split("?");
  const [view = "", id] = path.split("/").map(decoded);
  const rest = { query: new URLSearchParams(query) };
  if (view === "") return { view: "new", ...rest };
  if (ID.test(view)) return { view: "session", id: view, ...rest }; // an address of older pages
  if (view === "session" && id && NAME.test(id)) return { view, id, ...rest };
  return { view: VIEWS.includes(view) ? (view as View) : "nowhere", ...rest };
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** Returns the address of a view, for `href`. */
export function address(view: View, id?: string, query: Record<string, string> = {}): string {
  const path = id === undefined ? view : `${view}/${encodeURIComponent(id)}`;
  const search = new URLSearchParams(query).toString();
  return `#/${path}${search && `?${search}`}`;
}

/** Goes to an address; with `replace` the way back does not lead here. */
export function go(to: string, { replace = false } = {}): void {
  if (!replace) {
    location.hash = to;
    return;
  }
  history.replaceState(null, "", to);
  dispatchEvent(new HashChangeEvent("hashchange"));
}

function subscribe(listener: () => void): () => void {
  addEventListener("hashchange", listener);
  return () => removeEventListener("hashchange", listener);
}

let last = { hash: "", route: parse("") };

function current(): Route {
  if (location.hash !== last.hash) last = { hash: location.hash, route: parse(location.hash) };
  return last.route;
}

/** Returns where one is, and renders the component again when that changes. */
export function useRoute(): Route {
  return useSyncExternalStore(subscribe, current);
}
