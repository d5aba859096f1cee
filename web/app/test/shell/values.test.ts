import type { Session } from "@chatd/client";
import { expect, test } from "vitest";
import { titleFor } from "../../src/first";
import { marked } from "../../src/search/marked";
import { readTuning, troublesOf } from "../../src/session/Tuning";
import { grouped } from "../../src/sidebar/groups";
import { byWeek, monday } from "../../src/statistics/weeks";

const NOW = new Date(2026, 10, 22, 12);
const at = (time: Date) => ({ id: String(time), created_at: time.toISOString(), last_message_at: null }) as unknown as Session;
const before = (days: number) => new Date(2026, 10, 22 - days, 11);

test("sessions are grouped by days that begin at midnight here", () => {
  const sessions = [0, 1, 2, 7, 8, 30, 31, 400].map((days) => at(before(days)));
  const names = grouped(sessions, NOW).map(({ name, sessions }) => [name, sessions.length]);
  expect(names).toEqual([
    ["Today", 1],
    ["Yesterday", 1],
    ["Last 7 days", 2],
    ["Last 30 days", 2],
    ["October", 1],
    ["October 2025", 1],
  ]);
});

test("a week begins on Monday, and each session is in one week", () => {
  expect(monday(NOW).getDay()).toBe(1);
  expect(monday(monday(NOW))).toEqual(monday(NOW));
  const days = Array.from({ length: 84 }, (_, day) => at(before(day)));
  const weeks = byWeek(days, 12, NOW);
  expect(weeks.map(({ value }) => value)).toEqual(Array(12).fill(7));
});

test("hits are marked by code points, whatever they overlap", () => {
  const text = "👋🏽 hey needle!";
  const from = [..."👋🏽 hey "].length;
  const pieces = marked(text, [[from, from + 6], [from + 2, from + 6]]);
  expect(pieces.filter(({ isHit }) => isHit)).toEqual([{ text: "needle", isHit: true }]);
  expect(pieces.map((piece) => piece.text).join("")).toBe(text);
});

test("a title is the beginning of what was said, in one line", () => {
  expect(titleFor("  two\nlines ")).toBe("two lines");
  expect([...titleFor("😀".repeat(80))]).toHaveLength(60);
});

test("an empty field is the default, and options are an object", () => {
  const form = new FormData();
  form.set("temperature", "0.5");
  form.set("enable_tools", "false");
  expect(readTuning(form).settings).toEqual({ temperature: 0.5, max_tokens: null, enable_tools: false, options: null });
  form.set("options", "[1]");
  expect(() => readTuning(form)).toThrow();
  const error = { options: { fields: { "settings.options.top_p": ["too large"], name: ["missing"] } } };
  expect(troublesOf(error)).toEqual({ options: "too large", name: "missing" });
});
