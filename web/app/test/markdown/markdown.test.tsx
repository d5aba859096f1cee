// @vitest-environment happy-dom
import { act } from "react";
import { createRoot } from "react-dom/client";
import { describe, expect, test, vi } from "vitest";
import { Markdown } from "../../src/markdown/Markdown";
import { parses } from "../../src/markdown/lexer";

Object.assign(globalThis, { IS_REACT_ACT_ENVIRONMENT: true });

function rendered() {
  const host = document.createElement("div");
  const root = createRoot(host);
  const show = (text: string, isGrowing = false) => act(() => root.render(<Markdown text={text} isGrowing={isGrowing} />));
  return { host, show };
}

function shown(text: string): HTMLElement {
  const { host, show } = rendered();
  show(text);
  return host;
}

describe("Markdown", () => {
  test("shows HTML as it is written, but for line breaks", () => {
    const host = shown("<script>x()</script>\n\nIn <b>a</b> line<br>break\n\n<div onclick=x>\n");

    expect(host.querySelectorAll("script, b, div[onclick]").length).toBe(0);
    expect(host.querySelectorAll("br").length).toBe(1);
    expect(host.textContent).toContain("<script>x()</script>");
    expect(host.textContent).toContain("<b>a</b>");
  });

  test("opens links elsewhere, and tells nobody where they are from", () => {
    const link = shown("[text **bold**](https://example.org \"title\")").querySelector("a");

    expect(link?.rel).toBe("noopener noreferrer nofollow");
    expect(link?.target).toBe("_blank");
    expect(link?.textContent).toBe("text bold");
    expect(shown("[text](javascript:x())").querySelector("a")).toBeNull();
    expect(shown("[text](javascript:x())").textContent).toBe("text");
  });

  test("loads no image, but leads to it", () => {
    const host = shown("![a cat](https://example.org/cat.png)");

    expect(host.querySelector("img")).toBeNull();
    expect(host.querySelector("a")?.href).toBe("https://example.org/cat.png");
    expect(host.textContent).toContain("a cat");
  });

  test("has tables, task lists, numbers to start from and footnotes", () => {
    const host = shown(
      "| a | b |\n|:-:|--:|\n| 1 | 2 |\n\n- [x] done\n- [ ] open\n\n3. three\n\nNote[^n].\n\n[^n]: Said **so**.",
    );

    expect(host.querySelectorAll("th, td").length).toBe(4);
    expect([...host.querySelectorAll("input")].map((box) => box.checked)).toEqual([true, false]);
    expect(host.querySelector("ol")?.getAttribute("start")).toBe("3");
    expect(host.querySelector("sup")?.textContent).toBe("n");
    expect(host.querySelector(".md-note strong")?.textContent).toBe("so");
  });

  test("names the language of code and keeps every character of it", () => {
    const code = "def f():\n\n\treturn '<b>'  \n";
    const host = shown(`\`\`\`py title="x"\n${code}\`\`\``);

    expect(host.querySelector("figcaption span")?.textContent).toBe("python");
    expect(host.querySelector("pre")?.textContent).toBe(code);
  });

  test("replaces character references in text, and not in code", () => {
    expect(shown("&copy; `&copy;`").textContent).toBe("© &copy;");
  });

  test("keeps the elements of what is done while more comes, and parses only that", () => {
    const { host, show } = rendered();
    const done = Array.from({ length: 40 }, (_, n) => `Paragraph ${n} with *words*.\n\n`).join("");
    show(`${done}And`, true);
    const before = [...host.querySelectorAll("p")];
    const count = parses.count;
    for (let n = 1; n <= 20; n += 1) show(`${done}And${" more".repeat(n)}`, true);

    expect(parses.count - count).toBeLessThanOrEqual(20);
    expect([...host.querySelectorAll("p")].slice(0, 41)).toEqual(before);
    show(`${done}And the end.`);
    expect([...host.querySelectorAll("p")].slice(0, 40)).toEqual(before.slice(0, 40));
  });

  test("shows a text again from the beginning when it is another one", async () => {
    const { host, show } = rendered();
    show("One\n\ntwo", true);
    show("Other", true);

    // Text that grows is drawn by the frame.
    await vi.waitFor(() => expect(host.textContent).toBe("Other"), 10_000);
  });

  test("an item has one direction, with its paragraphs", () => {
    const { host, show } = rendered();
    show("- مرحبا\n\n- two");
    const directions = [...host.querySelectorAll("li, p")].map((one) => [one.tagName, one.getAttribute("dir")]);
    expect(directions).toEqual([["LI", "auto"], ["P", null], ["LI", "auto"], ["P", null]]);
  });
});
