import { expect, test } from "vitest";
import { address, parse } from "../../src/route";

const ID = "01a2053b-8dd5-78d1-97cc-c0364f106807";

test("an address leads back to where it was made", () => {
  const at = parse(address("session", ID, { message: "m&1" }));
  expect([at.view, at.id, at.query.get("message")]).toEqual(["session", ID, "m&1"]);
  expect(parse(address("search", undefined, { q: "a b?c" })).query.get("q")).toBe("a b?c");
});

test("without a view it is a new session, and an address of older pages is its session", () => {
  expect(parse("").view).toBe("new");
  expect(parse("#/").view).toBe("new");
  expect(parse(`#${ID}`)).toMatchObject({ view: "session", id: ID });
});

test("what leads nowhere is nowhere, however broken", () => {
  for (const hash of ["#/session", "#/session/", "#/nothing", "#/%E0%A4%A", "#/constructor", "#//", "#/session/..", "#/session/a%2Fb", "#/session/%3Fx"]) {
    expect(["nowhere", "new"]).toContain(parse(hash).view);
  }
});
