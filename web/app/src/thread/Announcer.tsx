/** Tells a screen reader of an answer, sentence by sentence; not token by token, and not from its middle. */
import type { Message, Running } from "@chatd/client";
import { useEffect, useRef, useState } from "react";
import { t } from "../i18n";
import { sentencesEnd, spoken } from "./spoken";

/** Milliseconds between two announcements, so that they do not overtake the voice. */
const PACE = 2_500;
/** Characters: an answer with more than these was not seen from its beginning. */
const PARAGRAPH = 300;

interface Props {
  readonly running: Running | undefined;
  readonly last: Message | undefined;
  /** Whether the messages that were there before are loaded: those are not announced. */
  readonly isLoaded: boolean;
}

export function Announcer({ running, last, isLoaded }: Props) {
  const [said, setSaid] = useState("");
  const answer = useRef({ id: "", upTo: 0 });
  const known = useRef<string>(undefined);
  const latest = useRef(running);
  latest.current = running;
  const id = running?.messageId;
  useEffect(() => {
    const before = latest.current?.text ?? "";
    if (id === undefined) return;
    answer.current = { id, upTo: before.length < PARAGRAPH ? 0 : sentencesEnd(before) };
    const timer = setInterval(() => {
      const text = latest.current?.text ?? "";
      const end = sentencesEnd(text);
      if (end <= answer.current.upTo) return;
      setSaid(spoken(text.slice(answer.current.upTo, end), t("thread.codeSpoken")));
      answer.current.upTo = end;
    }, PACE);
    return () => clearInterval(timer);
  }, [id]);
  useEffect(() => {
    if (!isLoaded) return;
    known.current ??= id === undefined ? (last?.id ?? "") : "";
    if (id !== undefined || !last || last.role !== "assistant" || last.id === known.current) return;
    known.current = last.id;
    const from = answer.current.id === last.id ? answer.current.upTo : 0;
    const rest = spoken(last.content.slice(from), t("thread.codeSpoken"));
    setSaid(`${rest} ${t(`thread.ended.${last.status}`)}`);
  }, [id, last, isLoaded]);
  return (
    <p className="unseen" role="status" aria-live="polite">
      {said}
    </p>
  );
}
