/** The keys that work everywhere, and the names of all that there are. */
import type { PlainKey } from "../i18n";
import { address, go } from "../route";
import { toggleSidebar } from "../sidebar/visibility";
import { Store } from "../store";

/** What is open over everything. */
export const overlay = new Store<"palette" | "help" | undefined>(undefined);

const isApple = /Mac|iPhone|iPad/.test(navigator.platform);
export const COMMAND = isApple ? "⌘" : "Ctrl";

/** What the help shows: an action and its keys. */
export const SHORTCUTS: readonly (readonly [PlainKey, readonly string[]])[] = [
  ["keys.palette", [COMMAND, "K"]],
  ["keys.new", [COMMAND, "Shift", "O"]],
  ["keys.search", [COMMAND, "Shift", "F"]],
  ["keys.sidebar", [COMMAND, "B"]],
  ["keys.composer", ["/"]],
  ["keys.send", ["Enter"]],
  ["keys.line", ["Shift", "Enter"]],
  ["keys.stop", ["Esc"]],
  ["keys.help", ["?"]],
];

function focusComposer(): void {
  const composer = document.querySelector<HTMLElement>("#content form textarea");
  if (composer) composer.focus();
  else go(address("new"));
}

const show = (what: "palette" | "help") => () => overlay.set(what);

/** By what is pressed: with the command key, or where nothing is written. */
const WITH_COMMAND: Readonly<Record<string, () => void>> = {
  k: show("palette"),
  b: toggleSidebar,
  "shift+o": () => go(address("new")),
  "shift+f": () => go(address("search")),
};
const PLAIN: Readonly<Record<string, () => void>> = { "/": focusComposer, "?": show("help") };

function isWriting(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName));
}

function actionOf(event: KeyboardEvent): (() => void) | undefined {
  if (event.altKey || event.isComposing || event.defaultPrevented) return undefined;
  const key = event.key.toLowerCase();
  const hasCommand = isApple ? event.metaKey : event.ctrlKey;
  if (hasCommand) return WITH_COMMAND[event.shiftKey ? `shift+${key}` : key];
  if (event.metaKey || event.ctrlKey || isWriting(event.target)) return undefined;
  return PLAIN[event.key];
}

/** Listens until what this returns is called. A dialog that is open has the keys for itself. */
export function listen(): () => void {
  const pressed = (event: KeyboardEvent) => {
    const action = actionOf(event);
    if (!action || document.querySelector("dialog[open]")) return;
    event.preventDefault();
    action();
  };
  addEventListener("keydown", pressed);
  return () => removeEventListener("keydown", pressed);
}
