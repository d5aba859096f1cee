/** A message of one's own, changed where it stands. */
import { type KeyboardEvent, useEffect, useRef, useState } from "react";
import { t } from "../i18n";
import { isComposing, useGrowing } from "./field";

interface Props {
  readonly text: string;
  readonly onSave: (text: string) => void;
  readonly onCancel: () => void;
}

export function Editor({ text, onSave, onCancel }: Props) {
  const [value, setValue] = useState(text);
  const field = useRef<HTMLTextAreaElement>(null);
  useGrowing(field, value);
  useEffect(() => {
    field.current?.focus();
    field.current?.setSelectionRange(text.length, text.length);
  }, [text]);
  const save = () => value.trim() && onSave(value.trim());
  const pressed = (event: KeyboardEvent) => {
    if (isComposing(event)) return;
    if (event.key === "Escape") {
      event.stopPropagation(); // it means this, not the answer that runs
      onCancel();
    } else if (event.key === "Enter" && !event.shiftKey) {
      event.preventDefault();
      save();
    }
  };
  return (
    <form className="editor" onSubmit={(event) => (event.preventDefault(), save())}>
      <textarea
        ref={field}
        className="growing"
        rows={1}
        dir="auto"
        aria-label={t("thread.editLabel")}
        value={value}
        onChange={(event) => setValue(event.target.value)}
        onKeyDown={pressed}
      />
      <div className="editor-foot">
        <span>{t("thread.editHint")}</span>
        <button type="button" className="button button-quiet" onClick={onCancel}>
          {t("app.cancel")}
        </button>
        <button type="submit" className="button button-primary" disabled={!value.trim()}>
          {t("thread.send")}
        </button>
      </div>
    </form>
  );
}
