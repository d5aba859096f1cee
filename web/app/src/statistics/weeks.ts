import type { Session } from "@chatd/client";
import { date } from "../i18n";
import type { Bar } from "./Plot";

/** Returns the midnight that a day's week began with, on a Monday; `weeks` before it. */
export function monday(day: Date, weeks = 0): Date {
  const at = new Date(day);
  at.setHours(0, 0, 0, 0);
  at.setDate(at.getDate() - ((at.getDay() + 6) % 7) - 7 * weeks);
  return at;
}

/** Returns for each of the last weeks how many sessions began in it, the oldest first. */
export function byWeek(sessions: readonly Session[], weeks: number, now = new Date()): readonly Bar[] {
  const times = sessions.map(({ created_at }) => Date.parse(created_at));
  return Array.from({ length: weeks }, (_, place) => {
    const back = weeks - 1 - place;
    const [from, to] = [monday(now, back).getTime(), monday(now, back - 1).getTime()];
    const value = times.filter((time) => time >= from && time < to).length;
    return { name: date(from, { day: "numeric", month: "short" }), value };
  });
}
