/** The messages of a session, oldest first. Older ones are loaded when their place comes into sight. */
import type { ChatSession, ChatState, Message, Turn } from "@chatd/client";
import { type RefObject, useEffect, useMemo, useRef } from "react";
import { t } from "../i18n";
import { complain } from "../notices";
import { Anchored } from "./Anchored";
import { useBranches } from "./branches";
import { useGradually } from "../gradually";
import { type Branch, type Deeds, MessageView } from "./MessageView";
import { Pending } from "./Pending";
import type { Follower } from "./scrolling";

interface Props {
  readonly session: ChatSession;
  readonly state: ChatState;
  readonly deeds: Deeds;
  readonly highlight: string | undefined;
  readonly scroller: RefObject<HTMLElement | null>;
  readonly follower: Follower;
  readonly withdraw: (turn: Turn) => void;
}

const ONLY: Branch = { place: 1, count: 1 };

/** Messages. */
const GRADUALLY = { first: 8, step: 8 };

export function Messages(props: Props) {
  const { session, state, deeds, highlight, scroller, follower, withdraw } = props;
  const branches = useBranches(session, state);
  const all = useMemo(() => beforePending(state), [state.messages, state.pending]);
  const hidden = useGradually(all.length, all[0]?.id, GRADUALLY);
  const shown = all.slice(hidden);
  const isRunning = state.running !== undefined || shown.at(-1)?.status === "streaming";
  const isFree = !isRunning && state.pending.length === 0 && state.connection === "live";
  return (
    <Anchored scroller={scroller} firstId={shown[0]?.id} isFollowing={() => follower.isFollowing}>
      <div className="messages">
        {state.isLoading && all.length === 0 ? <p className="messages-note">{t("thread.loading")}</p> : null}
        {state.hasOlder && hidden === 0 ? <Older session={session} state={state} scroller={scroller} /> : null}
        {shown.map((message) => (
          <MessageView
            key={message.id}
            message={message}
            running={message.id === state.running?.messageId ? state.running : undefined}
            branch={branches.get(message.id) ?? ONLY}
            isFree={isFree}
            isLast={message === shown.at(-1)}
            isMarked={message.id === highlight}
            deeds={deeds}
          />
        ))}
        <Pending turns={state.pending} connection={state.connection} isRunning={isRunning} onWithdraw={withdraw} />
      </div>
    </Anchored>
  );
}

/** What is edited or answered again is not shown any more once that was asked for. */
function beforePending({ messages, pending }: ChatState): readonly Message[] {
  const replaced = pending.find(({ messageId }) => messageId !== undefined)?.messageId;
  const at = replaced === undefined ? -1 : messages.findIndex(({ id }) => id === replaced);
  return at < 0 ? messages : messages.slice(0, at);
}

/** Loads older messages when one comes near the beginning of those that are there. */
function Older({ session, state, scroller }: Pick<Props, "session" | "state" | "scroller">) {
  const place = useRef<HTMLDivElement>(null);
  const first = state.messages[0]?.id;
  useEffect(() => {
    if (!place.current) return;
    const load = () => void session.loadOlder().catch(complain);
    const seen = new IntersectionObserver(
      ([entry]) => {
        if (entry?.isIntersecting && !session.state.isLoading) load();
      },
      { root: scroller.current, rootMargin: "600px 0px 0px 0px" },
    );
    seen.observe(place.current);
    return () => seen.disconnect();
  }, [session, scroller, first]);
  return (
    <div ref={place} className="messages-note">
      <button type="button" className="button button-quiet" onClick={() => void session.loadOlder().catch(complain)}>
        {t(state.isLoading ? "thread.loading" : "thread.older")}
      </button>
    </div>
  );
}
