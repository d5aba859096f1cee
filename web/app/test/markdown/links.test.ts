import { describe, expect, test } from "vitest";
import { decoded } from "../../src/markdown/entities";
import { followable } from "../../src/markdown/links";

describe("an address", () => {
  test.each([
    ["https://example.org/a?b=1&c=2", "https://example.org/a?b=1&c=2"],
    ["http://example.org", "http://example.org/"],
    ["HTTPS://EXAMPLE.org/A", "https://example.org/A"],
    ["mailto:me@example.org", "mailto:me@example.org"],
    ["https://example.org/?a=1&amp;b=2", "https://example.org/?a=1&b=2"],
    ["https://example.org/\"onclick=x", "https://example.org/%22onclick=x"],
  ])("may be followed: %s", (address, to) => {
    expect(followable(address)).toBe(to);
  });

  test.each([
    "javascript:x()",
    "JaVaScRiPt:x()",
    " \u0001javascript:x()",
    "java\nscript:x()",
    "java&Tab;script:x()",
    "&#106;avascript:x()",
    "javascript&colon;x()",
    "data:text/html,x",
    "vbscript:x",
    "file:///etc/passwd",
    "blob:https://example.org/1",
    "tel:1",
    "//example.org",
    "/settings",
    "#/settings",
    "relative",
    "",
  ])("must not be: %j", (address) => {
    expect(followable(address)).toBeUndefined();
  });
});

describe("character references", () => {
  test.each([
    ["&lt;b&gt; &amp;amp;", "<b> &amp;"],
    ["&copy; &eacute; &Eacute; &yuml; &nbsp;.", "© é É ÿ \u00a0."],
    ["&hellip; &rarr; &ne;", "… → ≠"],
    ["&#169; &#xA9; &#0; &#xD800; &#x110000;", "© © \ufffd \ufffd \ufffd"],
    ["&nope; &amp &; AT&T", "&nope; &amp &; AT&T"],
  ])("%s", (text, characters) => {
    expect(decoded(text)).toBe(characters);
  });
});
