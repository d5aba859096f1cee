/** One session: what was said, what is being said, and the composer. */
import type { ChatSession, ChatState, Message, Turn } from "@chatd/client";
import { useChatSession } from "@chatd/react";
import { ArrowDown } from "lucide-react";
import { type RefObject, useCallback, useEffect, useMemo, useRef, useState } from "react";
import { t } from "../i18n";
import { complain } from "../notices";
import { Announcer } from "./Announcer";
import { Composer, type ComposerHandle } from "./Composer";
import { useHighlight } from "./highlight";
import type { Deeds } from "./MessageView";
import { Messages } from "./Messages";
import { Notes } from "./Notes";
import { Follower } from "./scrolling";
import { giveBackRefused, useSending } from "./sending";
import type { ThreadProps } from "./Thread";

export function Conversation(props: ThreadProps & { sessionId: string }) {
  const { sessionId, highlight, onState, greeting } = props;
  const { state, session } = useChatSession(sessionId, { byFrame: true });
  useEffect(() => onState?.(state), [state, onState]);
  const composer = useRef<ComposerHandle>(null);
  const giveBack = useCallback((text: string) => composer.current?.giveBack(text), []);
  const send = useSending(session, giveBack);
  const withdraw = useCallback((turn: Turn) => session.stop(turn), [session]);
  const deeds = useDeeds(session, composer, giveBack);
  const scroller = useRef<HTMLDivElement>(null);
  const { follower, isFar } = useFollower(scroller, highlight);
  useHighlight(session, state, highlight, scroller, follower);
  useStopKey(session, state);
  const isEmpty = !state.isLoading && state.session !== undefined && state.messages.length + state.pending.length === 0;
  const sendAndFollow = (text: string) => {
    follower.follow();
    return send(text);
  };
  return (
    <div className="thread" data-empty={isEmpty || undefined}>
      <div className="thread-scroll" ref={scroller} tabIndex={0} role="log" aria-live="off" aria-label={t("thread.label")}>
        {isEmpty ? <div className="thread-greeting">{greeting}</div> : null}
        <Messages {...{ session, state, deeds, highlight, scroller, follower, withdraw }} />
      </div>
      <div className="thread-foot">
        {isFar ? <ToEnd follower={follower} isRunning={state.running !== undefined} /> : null}
        <Notes session={session} state={state} />
        <Composer
          draft={sessionId}
          handle={composer}
          onSend={sendAndFollow}
          onStop={() => session.stop()}
          onTyping={() => session.sayTyping()}
          onEmptied={() => session.sayStoppedTyping()}
          isRunning={state.running !== undefined}
          refusal={state.connection === "refused" ? refusal(state) : undefined}
        />
      </div>
      <Announcer running={state.running} last={state.messages.at(-1)} isLoaded={state.session !== undefined} />
    </div>
  );
}

function refusal({ error }: ChatState): string {
  if (error?.code === "session_deleted" || error?.code === "not_found") return t("thread.gone");
  return t("thread.refused");
}

function useDeeds(
  session: ChatSession,
  composer: RefObject<ComposerHandle | null>,
  giveBack: (text: string) => void,
): Deeds {
  return useMemo(
    () => ({
      regenerate: (messageId) => void session.regenerate(messageId),
      edit(messageId, text) {
        giveBackRefused(session.edit(messageId, text), giveBack);
        composer.current?.focus();
      },
      step(message: Message, by: number) {
        const family = session.siblings(message);
        const other = family[family.findIndex(({ id }) => id === message.id) + by];
        if (other) session.select(other.id).catch(complain);
      },
    }),
    [session, composer, giveBack],
  );
}

function useFollower(scroller: RefObject<HTMLElement | null>, highlight: string | undefined) {
  const [isFar, setFar] = useState(false);
  const [follower] = useState(() => new Follower(setFar));
  useEffect(() => {
    const element = scroller.current;
    const content = element?.querySelector<HTMLElement>(".messages");
    if (!element || !content) return;
    if (highlight) follower.leave();
    return follower.attach(element, content);
  }, [scroller, follower, highlight]);
  return { follower, isFar };
}

/** Escape stops the answer, wherever the focus is, unless something else is open. */
function useStopKey(session: ChatSession, { running }: ChatState): void {
  const isRunning = running !== undefined;
  useEffect(() => {
    if (!isRunning) return;
    const pressed = (event: KeyboardEvent) => {
      if (event.key !== "Escape" || event.defaultPrevented || event.isComposing) return;
      if (document.querySelector("dialog[open], :popover-open") || isOfAnotherField(event)) return;
      session.stop();
    };
    addEventListener("keydown", pressed);
    return () => removeEventListener("keydown", pressed);
  }, [session, isRunning]);
}

/** In a field, Escape takes back what is written there. */
function isOfAnotherField({ target }: KeyboardEvent): boolean {
  const field = target instanceof Element ? target.closest("input, select, textarea") : null;
  return field !== null && !field.closest(".composer");
}

function ToEnd({ follower, isRunning }: { follower: Follower; isRunning: boolean }) {
  return (
    <button type="button" className="to-end" data-running={isRunning || undefined} onClick={() => follower.follow("smooth")}>
      <ArrowDown size={15} aria-hidden />
      {t("thread.toEnd")}
    </button>
  );
}
