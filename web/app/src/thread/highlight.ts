/** Going to a message that was looked for, wherever in the session it is. */
import type { ChatSession, ChatState } from "@chatd/client";
import { type RefObject, useEffect, useRef } from "react";
import { t } from "../i18n";
import { say } from "../notices";
import type { Follower } from "./scrolling";

/** Pages of older messages that are loaded for it, at most. */
const PAGES = 100;
/** Milliseconds for a message to be rendered. */
const PATIENCE = 15_000;

/** Scrolls to a message once it is there; loads what is missing, and shows its branch if that is another. */
export function useHighlight(
  session: ChatSession,
  state: ChatState,
  id: string | undefined,
  scroller: RefObject<HTMLElement | null>,
  follower: Follower,
): void {
  const search = useRef({ id: "", isOver: false, pages: 0, isBusy: false, isSelected: false });
  useEffect(() => {
    if (!id || state.isLoading || !state.session) return;
    if (search.current.id !== id) {
      search.current = { id, isOver: false, pages: 0, isBusy: false, isSelected: false };
    }
    const now = search.current;
    if (now.isOver || now.isBusy) return;
    if (state.messages.some((message) => message.id === id)) {
      now.isOver = true;
      follower.leave();
      show(scroller.current, id);
      return;
    }
    now.isBusy = true;
    const next = nextStep(session, state, now, id);
    next
      .catch(() => {
        now.isOver = true;
        say({ text: t("thread.notFound"), isTrouble: true });
      })
      .finally(() => {
        now.isBusy = false;
      });
  }, [id, session, state, scroller, follower]);
}

async function nextStep(
  session: ChatSession,
  state: ChatState,
  now: { pages: number; isSelected: boolean },
  id: string,
): Promise<void> {
  if (state.hasOlder && now.pages < PAGES) {
    now.pages += 1;
    await session.loadOlder();
  } else if (!now.isSelected) {
    now.isSelected = true;
    now.pages = 0;
    await session.select(id);
  } else {
    throw new Error("It is in no branch.");
  }
}

/** Scrolls to a message as soon as it is rendered: long sessions are, bit by bit. */
function show(scroller: HTMLElement | null, id: string, until = performance.now() + PATIENCE): void {
  if (!scroller?.isConnected || performance.now() > until) return;
  const article = scroller.querySelector<HTMLElement>(`article[data-id="${CSS.escape(id)}"]`);
  if (!article) {
    requestAnimationFrame(() => show(scroller, id, until));
    return;
  }
  article.focus({ preventScroll: true });
  // Twice: what comes into sight takes another height than was estimated.
  article.scrollIntoView({ block: "center" });
  requestAnimationFrame(() => article.scrollIntoView({ block: "center" }));
}
