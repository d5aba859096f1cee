/** Sessions under when they were last used: today, yesterday, ... and months before that. */
import type { Session } from "@chatd/client";
import { date, t } from "../i18n";

export interface Group {
  readonly name: string;
  readonly sessions: readonly Session[];
}

const DAY = 86_400_000;

/** Returns the group of a time, as seen from `now`: days begin at midnight, here. */
export function groupName(time: string, now: Date): string {
  const midnight = new Date(now).setHours(0, 0, 0, 0);
  const at = new Date(time);
  if (at.getTime() >= midnight) return t("sidebar.today");
  const days = Math.ceil((midnight - at.getTime()) / DAY);
  if (days <= 1) return t("sidebar.yesterday");
  if (days <= 7) return t("sidebar.week");
  if (days <= 30) return t("sidebar.month");
  const isThisYear = at.getFullYear() === now.getFullYear();
  return date(at, isThisYear ? { month: "long" } : { month: "long", year: "numeric" });
}

/** Returns sessions in groups; they come in the order of their last use. */
export function grouped(sessions: readonly Session[], now = new Date()): readonly Group[] {
  const groups: { name: string; sessions: Session[] }[] = [];
  for (const session of sessions) {
    const name = groupName(session.last_message_at ?? session.created_at, now);
    const last = groups.at(-1);
    if (last?.name === name) last.sessions.push(session);
    else groups.push({ name, sessions: [session] });
  }
  return groups;
}
