/** Where one writes. */
import { ArrowUp, Square } from "lucide-react";
import { type KeyboardEvent, type Ref, useEffect, useImperativeHandle, useRef, useState } from "react";
import { t } from "../i18n";
import { isComposing, useGrowing } from "./field";
import { draftOf, keepDraft } from "./kept";

/** What others may do with the composer. */
export interface ComposerHandle {
  focus(): void;
  /** Puts a text that was not taken back, before what is there by now. */
  giveBack(text: string): void;
}

interface Props {
  /** Whose draft it is. */
  readonly draft: string;
  /** Returns false, or a promise of it, if the text was not taken and is to stay. */
  readonly onSend: (text: string) => boolean | Promise<boolean>;
  readonly onStop?: (() => void) | undefined;
  readonly onTyping?: (() => void) | undefined;
  readonly onEmptied?: (() => void) | undefined;
  /** Whether a model answers: there is a button to stop it, and what is sent waits for its end. */
  readonly isRunning?: boolean;
  /** Why nothing can be sent, for good. */
  readonly refusal?: string | undefined;
  readonly handle?: Ref<ComposerHandle>;
}

const KEPT_AFTER = 400; // milliseconds

/** With a keyboard on the screen there is no Shift+Enter: Enter makes a line there. */
const hasKeyboard = () => !matchMedia("(hover: none) and (pointer: coarse)").matches;

export function Composer(props: Props) {
  const { draft, onStop, onTyping, onEmptied, isRunning = false, refusal, handle } = props;
  const [text, setText] = useDraft(draft);
  const field = useRef<HTMLTextAreaElement>(null);
  useGrowing(field, text);
  useEffect(() => {
    if (hasKeyboard()) field.current?.focus({ preventScroll: true });
  }, []);
  useImperativeHandle(handle, () => ({
    focus: () => field.current?.focus(),
    giveBack: (given) => setText((now) => (now.trim() ? `${given}\n\n${now}` : given)),
  }));
  const changed = (value: string) => {
    setText(value);
    if (value) onTyping?.();
    else onEmptied?.();
  };
  const send = async () => {
    const message = text.trim();
    if (!message || refusal) return;
    setText("");
    if (!(await props.onSend(message))) setText((now) => now || text);
  };
  const pressed = (event: KeyboardEvent) => {
    if (event.key !== "Enter" || event.shiftKey || isComposing(event)) return;
    if (!hasKeyboard() && !event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    void send();
  };
  const isStop = isRunning && !text.trim();
  return (
    <form className="composer" onSubmit={(event) => (event.preventDefault(), void send())}>
      <textarea
        ref={field}
        className="growing"
        rows={1}
        dir="auto"
        aria-label={t("thread.message")}
        placeholder={refusal ?? t("thread.placeholder")}
        disabled={refusal !== undefined}
        value={text}
        onChange={(event) => changed(event.target.value)}
        onKeyDown={pressed}
      />
      {isStop ? (
        <button key="stop" type="button" className="composer-button" data-kind="stop" aria-label={t("thread.stop")} title={t("thread.stopHint")} onClick={onStop}>
          <Square size={13} fill="currentColor" aria-hidden />
        </button>
      ) : (
        <button key="send" type="submit" className="composer-button" aria-label={t("thread.send")} title={t("thread.sendHint")} disabled={!text.trim() || refusal !== undefined}>
          <ArrowUp size={18} strokeWidth={2.4} aria-hidden />
        </button>
      )}
    </form>
  );
}

/** A text that this browser keeps until it is sent. */
function useDraft(name: string) {
  const [text, setText] = useState(() => draftOf(name));
  const now = useRef(text);
  useEffect(() => {
    now.current = text;
    if (!text) return keepDraft(name, ""); // at once: what was sent must not come back
    const timer = setTimeout(() => keepDraft(name, text), KEPT_AFTER);
    return () => clearTimeout(timer);
  }, [name, text]);
  useEffect(() => {
    const keep = () => keepDraft(name, now.current);
    addEventListener("pagehide", keep);
    return () => {
      removeEventListener("pagehide", keep);
      keep();
    };
  }, [name]);
  return [text, setText] as const;
}
