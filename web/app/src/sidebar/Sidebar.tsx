/** Beside every view: the sessions, the way to the other views, and how the connection is. */
import { ChartColumn, Keyboard, MessageSquareText, PanelLeft, Plus, Search, Settings, SwatchBook, Trash2, X } from "lucide-react";
import { type MouseEvent, type ReactNode, useEffect, useRef, useState } from "react";
import { useList, useUser } from "../house";
import { type PlainKey, t } from "../i18n";
import { overlay } from "../keys/shortcuts";
import { address, type Route, type View } from "../route";
import { ConnectionBadge } from "./ConnectionBadge";
import { AllSessions, FoundSessions } from "./SessionList";
import { isDrawerOpen, toggleSidebar, useSidebar } from "./visibility";
import "./sidebar.css";

export function Sidebar({ route }: { route: Route }) {
  const visibility = useSidebar();
  const [query, setQuery] = useState("");
  const nav = useDrawer(visibility === "over");
  const isSeen = visibility === "beside" || visibility === "over";
  return (
    <>
      {visibility === "over" && <div className="veil" onClick={() => isDrawerOpen.set(false)} />}
      <nav className="sidebar" aria-label={t("sidebar.label")} inert={!isSeen} ref={nav} onClick={closeAfterLink}>
        <SidebarHead />
        <TitleSearch query={query} onChange={setQuery} />
        <div className="sidebar-list">
          {query.trim() ? <FoundSessions query={query.trim()} currentId={route.id} /> : <AllSessions currentId={route.id} />}
        </div>
        <SidebarFoot current={route.view} />
      </nav>
    </>
  );
}

/** Also a link to where one is closes the drawer: the view is what one wants to see. */
function closeAfterLink({ target }: MouseEvent<HTMLElement>): void {
  if ((target as Element).closest("a")) isDrawerOpen.set(false);
}

/** Over the view the sidebar takes the focus, and Escape closes it. */
function useDrawer(isOver: boolean) {
  const nav = useRef<HTMLElement>(null);
  useEffect(() => {
    if (!isOver) return undefined;
    nav.current?.querySelector<HTMLElement>("a, button")?.focus();
    // Before all others, and taken: it means this, not the answer that runs.
    const pressed = (event: KeyboardEvent) => {
      if (event.key !== "Escape" || document.querySelector("dialog[open], :popover-open")) return;
      if (event.target instanceof HTMLInputElement && event.target.value) return; // that is taken back first
      event.preventDefault();
      isDrawerOpen.set(false);
    };
    addEventListener("keydown", pressed, { capture: true });
    return () => removeEventListener("keydown", pressed, { capture: true });
  }, [isOver]);
  return nav;
}

function SidebarHead() {
  return (
    <header className="sidebar-head">
      <a className="brand" href={address("new")}>
        <MessageSquareText size={20} aria-hidden />
        {t("app.name")}
      </a>
      <a className="icon-button" href={address("new")} aria-label={t("sidebar.new")} title={t("sidebar.new")}>
        <Plus size={20} aria-hidden />
      </a>
      <button type="button" className="icon-button" aria-label={t("sidebar.hide")} title={t("sidebar.hide")} onClick={toggleSidebar}>
        <PanelLeft size={18} aria-hidden className="mirrored" />
      </button>
    </header>
  );
}

function TitleSearch({ query, onChange }: { query: string; onChange: (query: string) => void }) {
  return (
    <div className="title-search" role="search">
      <Search size={16} aria-hidden />
      <input
        type="search"
        id="title-search"
        value={query}
        placeholder={t("sidebar.search")}
        aria-label={t("sidebar.search")}
        autoComplete="off"
        onChange={(event) => onChange(event.target.value)}
        onKeyDown={(event) => event.key === "Escape" && onChange("")}
      />
      {query && (
        <button type="button" className="icon-button icon-button-small" aria-label={t("sidebar.clear")} onClick={() => onChange("")}>
          <X size={14} aria-hidden />
        </button>
      )}
    </div>
  );
}

const LINKS: readonly [View, PlainKey, ReactNode][] = [
  ["search", "sidebar.messages", <Search size={18} aria-hidden />],
  ["presets", "sidebar.presets", <SwatchBook size={18} aria-hidden />],
  ["statistics", "sidebar.statistics", <ChartColumn size={18} aria-hidden />],
  ["trash", "sidebar.trash", <Trash2 size={18} aria-hidden />],
  ["settings", "sidebar.settings", <Settings size={18} aria-hidden />],
];

function SidebarFoot({ current }: { current: Route["view"] }) {
  const { connection, retryAt } = useList();
  const user = useUser();
  return (
    <footer className="sidebar-foot">
      <ul className="views" aria-label={t("sidebar.views")}>
        {LINKS.map(([view, label, icon]) => (
          <li key={view}>
            <a className="icon-button" href={address(view)} aria-label={t(label)} title={t(label)} aria-current={view === current ? "page" : undefined}>
              {icon}
            </a>
          </li>
        ))}
      </ul>
      <div className="sidebar-state">
        <span className="cut sidebar-user">{user?.name}</span>
        <ConnectionBadge connection={connection} retryAt={retryAt} />
        <button type="button" className="icon-button icon-button-small keys-button" aria-label={t("keys.show")} title={t("keys.show")} onClick={() => overlay.set("help")}>
          <Keyboard size={16} aria-hidden />
        </button>
      </div>
    </footer>
  );
}
