/** A button that opens a list of actions. */
import { type KeyboardEvent, type ReactNode, useId, useRef, useState } from "react";
import { beside } from "./place";
import "./menu.css";

export interface MenuItem {
  readonly label: string;
  readonly icon?: ReactNode;
  readonly run: () => void;
  readonly isDanger?: boolean;
}

interface MenuProps {
  /** What the button is for, to those who do not see it. */
  readonly label: string;
  readonly trigger: ReactNode;
  readonly className?: string;
  readonly items: readonly MenuItem[];
}

export function Menu({ label, trigger, className = "icon-button", items }: MenuProps) {
  const id = useId();
  const [isOpen, setOpen] = useState(false);
  const button = useRef<HTMLButtonElement>(null);
  const list = useRef<HTMLDivElement>(null);
  const opened = (event: { newState: string }) => {
    setOpen(event.newState === "open");
    if (event.newState !== "open") return;
    requestAnimationFrame(() => {
      if (!button.current || !list.current) return;
      beside(button.current, list.current);
      itemsOf(list.current)[0]?.focus();
    });
  };
  return (
    <>
      <button
        type="button"
        ref={button}
        className={className}
        popoverTarget={id}
        aria-label={label}
        title={label}
        aria-haspopup="menu"
        aria-expanded={isOpen}
      >
        {trigger}
      </button>
      <div id={id} ref={list} popover="auto" className="menu" role="menu" aria-label={label} onToggle={opened} onKeyDown={move}>
        {isOpen && items.map((item) => <Item key={item.label} item={item} close={() => list.current?.hidePopover()} />)}
      </div>
    </>
  );
}

function Item({ item, close }: { item: MenuItem; close: () => void }) {
  const run = () => {
    close();
    item.run();
  };
  return (
    <button type="button" role="menuitem" tabIndex={-1} className="menu-item" data-danger={item.isDanger || undefined} onClick={run}>
      {item.icon}
      {item.label}
    </button>
  );
}

function itemsOf(list: HTMLElement): HTMLElement[] {
  return [...list.querySelectorAll<HTMLElement>("[role^=menuitem]")];
}

/** The arrows go round; Tab leaves and closes. */
function move(event: KeyboardEvent<HTMLDivElement>): void {
  if (event.key === "Tab") event.currentTarget.hidePopover();
  arrows(event);
}

/** Moves the focus among the items of a menu by arrows, Home and End. */
export function arrows(event: KeyboardEvent<HTMLDivElement>): void {
  const items = itemsOf(event.currentTarget);
  const at = items.indexOf(document.activeElement as HTMLElement);
  const next = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: items.length - 1 }[event.key];
  if (next === undefined || !items.length) return;
  if (["Home", "End"].includes(event.key) && at < 0) return; // in a field
  event.preventDefault();
  event.stopPropagation();
  items.at(next % items.length)?.focus();
}
