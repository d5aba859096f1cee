/** Footnotes: a mark in the text, which leads to what it says, and back. */
import { createContext, type MouseEvent, type ReactNode, useContext } from "react";

/** What makes the names of one text's footnotes different from those of another. */
export const TextId = createContext("");

function show(id: string) {
  return (event: MouseEvent) => {
    // Not by the address: what is behind `#` there says which view is shown.
    event.preventDefault();
    const target = document.getElementById(id);
    target?.scrollIntoView({ block: "nearest" });
    target?.focus({ preventScroll: true });
  };
}

export function NoteMark({ name }: { name: string }) {
  const text = useContext(TextId);
  return (
    <sup>
      <button type="button" className="md-note-mark" id={`${text}-mark-${name}`} onClick={show(`${text}-note-${name}`)}>
        {name}
      </button>
    </sup>
  );
}

export function Note({ name, children }: { name: string; children: ReactNode }) {
  const text = useContext(TextId);
  return (
    <p className="md-note" id={`${text}-note-${name}`} tabIndex={-1}>
      <button type="button" className="md-note-mark" onClick={show(`${text}-mark-${name}`)}>
        {name}
      </button>{" "}
      {children}
    </p>
  );
}
