/** A button that copies a text. */
import { Check, Copy as CopyIcon } from "lucide-react";
import { useEffect, useState } from "react";
import { t } from "../i18n";

const SHOWN_FOR = 1_600; // milliseconds

export function Copy({ text, label }: { text: string; label: string }) {
  const [isCopied, setCopied] = useState(false);
  useEffect(() => {
    if (!isCopied) return;
    const timer = setTimeout(() => setCopied(false), SHOWN_FOR);
    return () => clearTimeout(timer);
  }, [isCopied]);
  const Icon = isCopied ? Check : CopyIcon;
  const said = isCopied ? t("thread.copied") : label;
  return (
    <button type="button" className="icon-button icon-button-small" aria-label={said} title={said} onClick={() => void copy(text).then(setCopied)}>
      <Icon size={15} aria-hidden />
    </button>
  );
}

/** Copies a text; tells whether it could. Browsers have `navigator.clipboard` with HTTPS only. */
export async function copy(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copiedByHand(text);
  }
}

function copiedByHand(text: string): boolean {
  const focused = document.activeElement as HTMLElement | null;
  const field = document.createElement("textarea");
  field.value = text;
  field.className = "unseen";
  document.body.append(field);
  field.select();
  const isDone = document.execCommand("copy");
  field.remove();
  focused?.focus();
  return isDone;
}
