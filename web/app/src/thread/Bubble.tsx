/** What somebody has written, as it was written. */
import { useState } from "react";
import { t } from "../i18n";

const LONG = { characters: 2_400, lines: 24 };

export function Bubble({ text, isPending = false }: { text: string; isPending?: boolean }) {
  const isLong = text.length > LONG.characters || text.split("\n", LONG.lines + 1).length > LONG.lines;
  const [isWhole, setWhole] = useState(false);
  return (
    <div className="bubble" data-pending={isPending || undefined} data-cut={(isLong && !isWhole) || undefined}>
      <div className="bubble-text plain text" dir="auto">
        {text}
      </div>
      {isLong ? (
        <button type="button" className="bubble-more" aria-expanded={isWhole} onClick={() => setWhole(!isWhole)}>
          {t(isWhole ? "thread.showLess" : "thread.showAll")}
        </button>
      ) : null}
    </div>
  );
}
