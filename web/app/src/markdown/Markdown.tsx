/** A text of Markdown, whole or while it grows. */
import { memo, useEffect, useId, useRef, useState } from "react";
import { type Block, Blocks } from "./blocks";
import { elements } from "./Elements";
import { TextId } from "./Note";
import "./markdown.css";

interface Props {
  readonly text: string;
  /** Whether more may come. */
  readonly isGrowing?: boolean;
}

/** Of one part in so many of the time text is parsed, at most; the rest is for who types and scrolls. */
const SHARE = 8;
/** Milliseconds; what takes less is done at each frame. */
const QUICK = 3;

/** Shows Markdown. Of a text that grows, what is done is neither parsed nor rendered again. */
export function Markdown({ text, isGrowing = false }: Props) {
  const id = useId();
  const blocks = useBlocks(text, isGrowing);
  const last = blocks.length - 1;
  return (
    <TextId value={id}>
      <div className={isGrowing ? "md md-growing" : "md"}>
        {blocks.map((block, at) => (
          <Part key={block.key} block={block} isGrowing={isGrowing && at === last} />
        ))}
      </div>
    </TextId>
  );
}

const Part = memo(function Part({ block, isGrowing }: { block: Block; isGrowing: boolean }) {
  return <div className="md-part">{elements(block.tokens, isGrowing)}</div>;
});

/** Returns the blocks of a text, of one that takes long to parse not at each frame. */
function useBlocks(text: string, isGrowing: boolean): readonly Block[] {
  const [blocks] = useState(() => new Blocks());
  const [pace] = useState(() => new Pace());
  const [, wake] = useState(0);
  const wait = isGrowing ? pace.left() : 0;
  const shown = useRef<readonly Block[]>([]);
  if (wait <= 0) shown.current = pace.measure(() => parsed(blocks.update(text, !isGrowing)));
  useEffect(() => {
    if (wait <= 0) return;
    const timer = setTimeout(() => wake((count) => count + 1), wait);
    return () => clearTimeout(timer);
  });
  return shown.current;
}

/** Parses the block that grows now, where the time is measured. */
function parsed(blocks: readonly Block[]): readonly Block[] {
  void blocks.at(-1)?.tokens;
  return blocks;
}

/** How often something that takes time may be done. */
class Pace {
  #next = 0;

  /** Returns for how many milliseconds it must not be done. */
  left(): number {
    return this.#next - performance.now();
  }

  measure<Result>(work: () => Result): Result {
    const begun = performance.now();
    const result = work();
    const took = performance.now() - begun;
    this.#next = took > QUICK ? begun + took * SHARE : 0;
    return result;
  }
}
