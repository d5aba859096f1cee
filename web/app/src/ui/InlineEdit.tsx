import { type KeyboardEvent, useEffect, useRef } from "react";

interface InlineEditProps {
  readonly label: string;
  readonly value: string;
  readonly className?: string;
  /** Called with another text, which is not empty. */
  readonly onChange: (text: string) => void;
  readonly onEnd: () => void;
}

const LONGEST_TITLE = 200; // characters, as the server has it

/** A text that is changed where it stands: Enter or leaving keeps it, Escape does not. */
export function InlineEdit({ label, value, className, onChange, onEnd }: InlineEditProps) {
  const input = useRef<HTMLInputElement>(null);
  const isOver = useRef(false);
  useEffect(() => input.current?.select(), []);
  const end = (keep: boolean) => {
    if (isOver.current) return;
    isOver.current = true;
    const text = input.current?.value.trim();
    if (keep && text && text !== value) onChange(text);
    onEnd();
  };
  const pressed = (event: KeyboardEvent) => {
    if (event.nativeEvent.isComposing) return;
    if (!["Enter", "Escape"].includes(event.key)) return;
    event.stopPropagation();
    const around = input.current?.closest("li, header");
    end(event.key === "Enter");
    // Whoever has no mouse goes on where they were: at the link in the list, or the title above a session.
    const back = () => around?.querySelector<HTMLElement>("a.session-link, .session-title button")?.focus();
    requestAnimationFrame(back);
  };
  return (
    <input
      ref={input}
      className={className}
      aria-label={label}
      defaultValue={value}
      maxLength={LONGEST_TITLE}
      autoFocus
      onKeyDown={pressed}
      onBlur={() => end(true)}
    />
  );
}
