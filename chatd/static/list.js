// The list of sessions, most recently used first, kept as the server has it.

import { call, Connection } from "./connection.js";
import { $, element } from "./elements.js";

const lastUse = (session) => session.last_message_at ?? session.created_at;

export const titleOf = (session) => session?.title || "Untitled";

/** Return a title for a session that begins with a text. */
export function titleFor(text) {
  const characters = [...text.trim().replace(/\s+/g, " ")];
  return characters.length > 60 ? `${characters.slice(0, 59).join("")}…` : characters.join("");
}

/** Shows the sessions in `#sessions`; `onDelete(id)` runs when somebody asks to delete one. */
export class SessionList {
  constructor({ onConnected, onDelete, onState, onEnd }) {
    this.sessions = new Map();
    this.items = new Map();
    this.answering = new Set(); // ids of sessions with a running generation
    this.onConnected = onConnected;
    this.onDelete = onDelete;
    this.connection = new Connection("/ws/ai-chat/sessions/", {
      onEvent: (event) => this.receive(event),
      onState,
      onEnd,
    });
  }

  close() {
    this.connection.close();
    $("sessions").replaceChildren();
  }

  get(id) {
    return this.sessions.get(id);
  }

  receive(event) {
    this[`on_${event.type}`]?.(event);
    if (event.type !== "pong") this.show();
  }

  on_connection_established({ sessions, next }) {
    this.sessions.clear();
    this.answering.clear();
    for (const session of sessions) this.keep(session);
    this.setOlder(next ? `sessions/?limit=200&cursor=${encodeURIComponent(next)}` : null);
    this.onConnected();
  }

  on_session_created({ session }) {
    this.keep(session);
  }

  on_session_updated({ session }) {
    this.keep(session);
  }

  on_session_deleted({ session }) {
    this.sessions.delete(session.id);
  }

  on_generation_started({ session_id }) {
    this.answering.add(session_id);
  }

  on_generation_ended({ session_id }) {
    this.answering.delete(session_id);
  }

  keep(session) {
    if (session.is_active) this.sessions.set(session.id, session);
    else this.sessions.delete(session.id);
  }

  setOlder(path) {
    this.older = path;
    $("older").hidden = !path;
  }

  async loadOlder() {
    const page = await call("GET", this.older);
    for (const session of page.results) this.keep(session);
    this.setOlder(page.next);
    this.show();
  }

  /** Put the list on the screen, with `currentId` as the open one. */
  show(currentId = this.currentId) {
    this.currentId = currentId;
    const sorted = [...this.sessions.values()].sort((a, b) => (lastUse(a) < lastUse(b) ? 1 : -1));
    const focused = document.activeElement;
    $("sessions").replaceChildren(...sorted.map((session) => this.item(session)));
    if ($("sessions").contains(focused)) focused.focus({ preventScroll: true });
  }

  item(session) {
    const item = this.items.get(session.id) ?? this.newItem(session.id);
    const [link, button] = item.children;
    link.textContent = titleOf(session);
    link.classList.toggle("answering", this.answering.has(session.id));
    if (session.id === this.currentId) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
    button.setAttribute("aria-label", `Delete ${titleOf(session)}`);
    return item;
  }

  newItem(id) {
    const button = element("button", { textContent: "×", onclick: () => this.onDelete(id) });
    const item = element("li", {}, element("a", { href: `#${id}` }), button);
    this.items.set(id, item);
    return item;
  }
}
