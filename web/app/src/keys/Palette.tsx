/** One field that leads everywhere: to sessions by their titles, to views, to what can be done. */
import type { Session } from "@chatd/client";
import { ChartColumn, Keyboard, MessageSquare, Search, Settings, SquarePen, SwatchBook, Trash2 } from "lucide-react";
import { type ComponentType, type KeyboardEvent, useEffect, useId, useRef, useState } from "react";
import { useHouse, useList } from "../house";
import { t } from "../i18n";
import { complain } from "../notices";
import { address, go } from "../route";
import { titleOf } from "../session/deeds";
import { useSettled } from "../sidebar/SessionList";
import { useModal } from "../ui/Dialog";
import { overlay } from "./shortcuts";
import "./keys.css";

interface Choice {
  readonly id: string;
  readonly name: string;
  readonly icon: ComponentType<{ size: number; "aria-hidden"?: boolean }>;
  readonly run: () => void;
}

const MOST = 11;
const NEWEST = 4;

export function Palette({ onClose }: { onClose: () => void }) {
  const [query, setQuery] = useState("");
  const [at, setAt] = useState(0);
  const dialog = useRef<HTMLDialogElement>(null);
  const id = useId();
  const choices = useChoices(query.trim());
  const current = Math.min(at, choices.length - 1);
  useModal(dialog);
  const take = (choice: Choice | undefined) => {
    onClose();
    choice?.run();
  };
  const pressed = (event: KeyboardEvent) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) setAt((current + step + choices.length) % Math.max(1, choices.length));
    else if (event.key === "Enter" && !event.nativeEvent.isComposing) take(choices[current]);
    else return;
    event.preventDefault();
  };
  return (
    <dialog ref={dialog} className="dialog palette" aria-label={t("palette.title")} onCancel={onClose} onMouseDown={(event) => event.target === dialog.current && onClose()}>
      <input
        role="combobox"
        aria-expanded
        aria-controls={id}
        aria-activedescendant={choices[current] ? `${id}-${current}` : undefined}
        aria-label={t("palette.hint")}
        placeholder={t("palette.hint")}
        value={query}
        onChange={(event) => {
          setQuery(event.target.value);
          setAt(0);
        }}
        onKeyDown={pressed}
      />
      <ul role="listbox" id={id} aria-label={t("palette.title")}>
        {choices.map((choice, place) => (
          <li key={choice.id} id={`${id}-${place}`} role="option" aria-selected={place === current} onMouseMove={() => setAt(place)} onClick={() => take(choice)}>
            <choice.icon size={16} aria-hidden />
            <span className="cut" dir="auto">{choice.name}</span>
          </li>
        ))}
      </ul>
      {!choices.length && <p className="view-note palette-note" role="status">{t("palette.none")}</p>}
    </dialog>
  );
}

/** Returns what a text may mean: deeds whose name has it, sessions whose title has it, and the search for it. */
function useChoices(query: string): readonly Choice[] {
  const sessions = useTitles(query);
  const wanted = query.toLowerCase();
  const named = deeds().filter(({ name }) => name.toLowerCase().includes(wanted));
  const found = sessions.map((session) => ({
    id: session.id,
    name: titleOf(session),
    icon: MessageSquare,
    run: () => go(address("session", session.id)),
  }));
  const everywhere = query && {
    id: "everywhere",
    icon: Search,
    name: t("sidebar.searchAll", { query }),
    run: () => go(address("search", undefined, { q: query })),
  };
  const all = query ? [...named.slice(0, 3), ...found] : [...found.slice(0, NEWEST), ...named];
  return [...all.slice(0, MOST), ...(everywhere ? [everywhere] : [])];
}

const VIEWS = [
  ["new", "sidebar.new", SquarePen],
  ["search", "sidebar.messages", Search],
  ["presets", "sidebar.presets", SwatchBook],
  ["statistics", "sidebar.statistics", ChartColumn],
  ["trash", "sidebar.trash", Trash2],
  ["settings", "sidebar.settings", Settings],
] as const;

function deeds(): readonly Choice[] {
  const views = VIEWS.map(([view, label, icon]) => ({ id: view, name: t(label), icon, run: () => go(address(view)) }));
  return [...views, { id: "help", name: t("keys.show"), icon: Keyboard, run: () => overlay.set("help") }];
}

/** Returns the newest sessions, or those with a text in their title. */
function useTitles(query: string): readonly Session[] {
  const { chatd } = useHouse();
  const { sessions } = useList();
  const settled = useSettled(query);
  const [found, setFound] = useState<{ query: string; sessions: readonly Session[] }>({ query: "", sessions: [] });
  useEffect(() => {
    let isOver = false;
    const take = ({ results }: { results: readonly Session[] }) => isOver || setFound({ query: settled, sessions: results });
    if (settled) chatd.api.sessions({ q: settled, limit: MOST }).then(take, complain);
    return () => {
      isOver = true;
    };
  }, [chatd, settled]);
  if (found.query === query && query) return found.sessions;
  // Until the server has answered: Enter must not lead to what an earlier text has found.
  const wanted = query.toLowerCase();
  return sessions.filter(({ title }) => title.toLowerCase().includes(wanted)).slice(0, MOST);
}
