// @vitest-environment happy-dom
import { expect, test } from "vitest";
import { enterWith, expire, gate, storedToken } from "../../src/server";

test("a late refusal of a token that was left does not end the one that is used now", () => {
  enterWith("first", "pasted");
  const { value: before } = gate;
  enterWith("second", "pasted");
  if (before.is === "in") expire(before.chatd);
  expect(gate.value.is).toBe("in");
  expect(storedToken()).toBe("second");
  if (gate.value.is === "in") expire(gate.value.chatd);
  expect(gate.value).toEqual({ is: "out", reason: "expired" });
  expect(storedToken()).toBeUndefined();
});
