// @vitest-environment happy-dom
/** Lists that are rendered bit by bit, while they grow. */
import { memo } from "react";
import { flushSync } from "react-dom";
import { createRoot } from "react-dom/client";
import { afterEach, expect, test, vi } from "vitest";
import { useGradually } from "../../src/gradually";

function busy(milliseconds: number) {
  const end = performance.now() + milliseconds;
  while (performance.now() < end);
}

/** Takes its time, so that React does something else in between. */
const Item = memo(function Item() {
  busy(4);
  return ".";
});

function List({ total, firstKey }: { total: number; firstKey: string }) {
  const hidden = useGradually(total, firstKey, { first: 2, step: 1 });
  return Array.from({ length: total - hidden }, (_, at) => <Item key={`${firstKey}${hidden + at}`} />);
}

afterEach(() => void vi.useRealTimers());

const soon = (milliseconds = 0) => new Promise((resolve) => setTimeout(resolve, milliseconds));

async function until(holder: Element, text: string) {
  const end = performance.now() + 10_000;
  while (holder.textContent !== text && performance.now() < end) await soon(5);
  expect(holder.textContent).toBe(text);
}

test.each([1, 2, 3, 5])("all of a list that grows by %s is shown in the end", async (growth) => {
  const holder = document.createElement("div");
  const root = createRoot(holder);
  let total = 0;
  for (let round = 0; round < 30; round++) {
    total += growth;
    root.render(<List total={total} firstKey="a" />);
    await soon(round % 7);
  }
  await until(holder, ".".repeat(total));
  root.unmount();
});

test("of a list that jumps while earlier items are about to be shown none stays hidden", async () => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  const holder = document.createElement("div");
  const root = createRoot(holder);
  for (const total of [10, 30]) {
    flushSync(() => root.render(<List total={total} firstKey="a" />));
    vi.runOnlyPendingTimers(); // before React comes to what this has it do
  }
  for (let turn = 0; turn < 500 && holder.textContent?.length !== 30; turn++) {
    await new Promise((resolve) => setImmediate(resolve));
    vi.runOnlyPendingTimers();
  }
  expect(holder.textContent).toBe(".".repeat(30));
  root.unmount();
});

test("what is put before the first is not shown at once, and then all of it", async () => {
  const holder = document.createElement("div");
  const root = createRoot(holder);
  root.render(<List total={2} firstKey="b" />);
  await until(holder, "..");
  root.render(<List total={30} firstKey="a" />);
  await soon();
  expect(holder.textContent?.length).toBeLessThan(30);
  await until(holder, ".".repeat(30));
  root.unmount();
});
