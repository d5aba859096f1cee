/** A text of Markdown, whole or while it grows. */
import { memo, useEffect, useId, useRef, useState } from "react";
import { type Block, Blocks } from "./blocks";
import { useGradually } from "../gradually";
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
  const chapters = useChapters(useBlocks(text, isGrowing));
  const hidden = useGradually(chapters.length, 0, GRADUALLY);
  const last = chapters.length - 1;
  return (
    <TextId value={id}>
      <div className={isGrowing ? "md md-growing" : "md"}>
        {chapters.slice(hidden).map((blocks, at) => (
          <Chapter key={hidden + at} blocks={blocks} isGrowing={isGrowing && hidden + at === last} />
        ))}
      </div>
    </TextId>
  );
}

/** Blocks that are laid out together, or not at all while they are out of sight: more than a few
    hundred places that the browser has to watch for that would cost more than it saves. */
const CHAPTER = 8;
/** Chapters. */
const GRADUALLY = { first: 2, step: 1 };

/** Returns blocks in groups; a group with the same blocks is the same array. */
function useChapters(blocks: readonly Block[]): readonly (readonly Block[])[] {
  const before = useRef<readonly (readonly Block[])[]>([]);
  const count = Math.ceil(blocks.length / CHAPTER);
  before.current = Array.from({ length: count }, (_, at) => {
    const [known, now] = [before.current[at], blocks.slice(at * CHAPTER, (at + 1) * CHAPTER)];
    const isSame = known?.length === now.length && now.every((block, place) => block === known[place]);
    return isSame && known ? known : now;
  });
  return before.current;
}

const Chapter = memo(function Chapter({ blocks, isGrowing }: { blocks: readonly Block[]; isGrowing: boolean }) {
  const last = blocks.length - 1;
  // Only of what was never seen the height is guessed: the browser remembers the others.
  const lines = blocks.reduce((sum, { raw }) => sum + raw.split("\n").length + raw.length / 100, 0);
  return (
    <div className="md-chapter" style={{ containIntrinsicBlockSize: `auto ${Math.ceil(lines) * 1.3}em` }}>
      {blocks.map((block, at) => (
        <Part key={block.key} block={block} isGrowing={isGrowing && at === last} />
      ))}
    </div>
  );
});

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
