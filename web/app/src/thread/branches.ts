/** Alternatives to messages: which there are, found out without being asked. */
import type { ChatSession, ChatState, Message } from "@chatd/client";
import { useEffect, useMemo, useRef } from "react";
import type { Branch } from "./MessageView";

/** Returns the first shown message behind which others were written that are not shown. */
export function firstGap(messages: readonly Message[], isRunning: boolean, count: number): Message | undefined {
  const gap = messages.findIndex(({ seq }, at) => at > 0 && seq - (messages[at - 1]?.seq ?? 0) > 1);
  if (gap > 0) return messages[gap];
  const [first, last] = [messages[0], messages.at(-1)];
  if (!first || !last || isRunning) return undefined;
  // Others came after the end, or the very first message has an alternative.
  const isFirst = first.parent_id === null && first.seq > 1;
  return isFirst || last.seq < count ? (isFirst ? first : last) : undefined;
}

/** Loads the alternatives of what is shown, where the numbers of messages tell that there are some. */
export function useBranches(session: ChatSession, state: ChatState): ReadonlyMap<string, Branch> {
  const { messages, running } = state;
  const asked = useRef(new Set<string>());
  const gap = firstGap(messages, running !== undefined, state.session?.message_count ?? 0);
  useEffect(() => {
    if (!gap || asked.current.has(gap.id)) return;
    asked.current.add(gap.id);
    session.loadBranches(gap).catch(() => undefined); // it is a convenience, and asked again next time
  }, [session, gap]);
  return useMemo(() => {
    const branches = new Map<string, Branch>();
    for (const message of messages) {
      const family = session.siblings(message);
      const place = family.findIndex(({ id }) => id === message.id) + 1;
      branches.set(message.id, { place, count: family.length });
    }
    return branches;
  }, [session, messages]);
}
