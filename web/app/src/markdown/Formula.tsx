/** A formula; its source, as long as it cannot be drawn or if it never can. */
import { memo, useEffect, useRef, useState } from "react";
import type { Formula as Token } from "./maths";
import { typeset } from "./typesetting";

export const Formula = memo(
  function Formula({ formula }: { formula: Token }) {
    const { text: source, raw, isDisplay } = formula;
    const target = useRef<HTMLSpanElement>(null);
    const [isShown, setShown] = useState(false);
    useEffect(() => {
      if (!target.current) return;
      return typeset({ source, isDisplay, target: target.current, done: setShown });
    }, [source, isDisplay]);
    return (
      <span className={isDisplay ? "md-maths md-display" : "md-maths"} dir="ltr">
        <span ref={target} />
        {isShown ? null : <span className="md-source">{raw.trim()}</span>}
      </span>
    );
  },
  (one, other) => one.formula.raw === other.formula.raw && one.formula.type === other.formula.type,
);
