import { expect, test } from "vitest";
import { german } from "../../src/i18n/de";
import * as english from "../../src/i18n/en";
import type { Text } from "../../src/i18n/types";

const ENGLISH: Record<string, Text> = { ...english.shell, ...english.views, ...english.thread };
const forms = (text: Text | undefined) => (typeof text === "string" ? [text] : Object.values(text ?? {}));
const names = (text: string) => [...text.matchAll(/\{(\w+)\}/g)].map(([, name]) => name).sort();

test("German says everything, with the same parameters", () => {
  const same = new Set(["app.name"]);
  const missing = Object.keys(ENGLISH).filter((key) => !(key in german) && !same.has(key));
  expect(missing).toEqual([]);
  for (const [key, text] of Object.entries(german)) {
    const [expected = ""] = forms(ENGLISH[key]).slice(-1);
    for (const form of forms(text)) expect([key, ...names(form)]).toEqual([key, ...names(expected)]);
  }
});
