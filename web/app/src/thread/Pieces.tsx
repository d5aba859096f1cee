/** A model's message: its text as Markdown, what it thought and did folded. */
import { Brain, ChevronRight, Wrench } from "lucide-react";
import { type ReactNode, useEffect, useRef, useState } from "react";
import { number, t } from "../i18n";
import { Markdown } from "../markdown/Markdown";
import type { Piece, ToolPiece } from "./pieces";

/** Seconds that a model was seen to think, by message and piece: nobody stores them. */
const durations = new Map<string, number>();

interface Props {
  readonly id: string;
  readonly pieces: readonly Piece[];
  readonly isRunning: boolean;
}

export function Pieces({ id, pieces, isRunning }: Props) {
  return pieces.map((piece, at) => {
    const isGrowing = isRunning && at === pieces.length - 1;
    const key = `${id}:${at}`;
    if (piece.kind === "text") return <Markdown key={key} text={piece.text} isGrowing={isGrowing} />;
    if (piece.kind === "tool") return <Tool key={key} tool={piece} isRunning={isRunning} />;
    return <Reasoning key={key} id={key} text={piece.text} isGrowing={isGrowing} />;
  });
}

function Reasoning({ id, text, isGrowing }: { id: string; text: string; isGrowing: boolean }) {
  const seconds = useDuration(id, isGrowing);
  const heading = isGrowing ? t("thread.thinking") : thought(seconds);
  return (
    <Fold icon={<Brain size={15} aria-hidden />} heading={heading} isBusy={isGrowing}>
      <Markdown text={text} isGrowing={isGrowing} />
    </Fold>
  );
}

function thought(seconds: number | undefined): string {
  if (seconds === undefined) return t("thread.reasoning");
  if (seconds < 1) return t("thread.thoughtBriefly");
  const whole = Math.round(seconds);
  if (whole < 60) return t("thread.thoughtSeconds", { count: whole });
  return t("thread.thoughtMinutes", { minutes: Math.floor(whole / 60), seconds: whole % 60 });
}

/** Returns how long something was seen to grow; undefined if that was not from its beginning. */
function useDuration(id: string, isGrowing: boolean): number | undefined {
  const begun = useRef(isGrowing ? performance.now() : undefined);
  if (!isGrowing && begun.current !== undefined) {
    durations.set(id, (performance.now() - begun.current) / 1000);
    begun.current = undefined;
  }
  return durations.get(id);
}

function Tool({ tool, isRunning }: { tool: ToolPiece; isRunning: boolean }) {
  const isBusy = isRunning && !tool.isDone;
  const name = { name: tool.name };
  const heading = isBusy ? t("thread.toolRuns", name) : t(tool.isError ? "thread.toolFailed" : "thread.toolUsed", name);
  return (
    <Fold icon={<Wrench size={15} aria-hidden />} heading={heading} isBusy={isBusy} isTrouble={tool.isError ?? false}>
      <Value label={t("thread.toolArguments")} text={pretty(tool.arguments)} />
      {tool.isDone ? <Value label={t("thread.toolResult")} text={pretty(tool.result)} /> : null}
    </Fold>
  );
}

function Value({ label, text }: { label: string; text: string }) {
  return (
    <div className="tool-value">
      <span>{label}</span>
      <pre tabIndex={0} dir="auto">
        {text}
      </pre>
    </div>
  );
}

const LONGEST = 20_000; // characters

/** Returns a value as text that can be read; JSON text is indented. */
function pretty(value: unknown): string {
  const text = typeof value === "string" ? indented(value) : JSON.stringify(value, null, 2);
  if (!text) return t("thread.nothing");
  return text.length <= LONGEST ? text : `${text.slice(0, LONGEST)}\n… ${number(text.length - LONGEST)}`;
}

function indented(text: string): string {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

interface FoldProps {
  readonly icon: ReactNode;
  readonly heading: string;
  readonly isBusy: boolean;
  readonly isTrouble?: boolean;
  readonly children: ReactNode;
}

/** Folded until somebody wants to see it: what is inside is not even rendered before. */
function Fold({ icon, heading, isBusy, isTrouble = false, children }: FoldProps) {
  const [isOpen, setOpen] = useState(false);
  const details = useRef<HTMLDetailsElement>(null);
  useEffect(() => {
    const element = details.current;
    const toggled = () => setOpen(element?.open ?? false); // also by a search in the page
    element?.addEventListener("toggle", toggled);
    return () => element?.removeEventListener("toggle", toggled);
  }, []);
  return (
    <details ref={details} className="fold" data-busy={isBusy || undefined} data-trouble={isTrouble || undefined}>
      <summary>
        {icon}
        <span>{heading}</span>
        <ChevronRight className="fold-arrow" size={14} aria-hidden />
      </summary>
      {isOpen ? <div className="fold-content">{children}</div> : null}
    </details>
  );
}
