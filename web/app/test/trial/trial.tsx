/** The page that hostile text is tried on: the real component, in bulk. It is never shipped. */
import { flushSync } from "react-dom";
import { createRoot, type Root } from "react-dom/client";
import "../../src/styles/tokens.css";
import { Markdown } from "../../src/markdown/Markdown";
import { HOSTILE } from "./hostile";
import { faults } from "./inspect";

const alarms: string[] = [];
const trap = (...what: unknown[]) => alarms.push(`ran: ${what.join(" ")}`);
for (const name of ["x", "alert", "confirm", "prompt", "print", "msgbox"]) {
  Object.defineProperty(window, name, { value: trap });
}
document.addEventListener("securitypolicyviolation", ({ violatedDirective, blockedURI, sourceFile }) => {
  alarms.push(`policy: ${violatedDirective} ${blockedURI} ${sourceFile}`);
});
addEventListener("error", ({ message }) => alarms.push(`error: ${message}`));

const host = document.querySelector("#host") as HTMLElement;

function placed(): { box: HTMLElement; root: Root } {
  const box = host.appendChild(document.createElement("section"));
  return { box, root: createRoot(box) };
}

/** Shows all texts at once, each as a message that is done. */
function whole(): { count: number; faults: string[] } {
  const found = HOSTILE.flatMap((text, at) => {
    const { box, root } = placed();
    box.dataset.at = String(at);
    flushSync(() => root.render(<Markdown text={text} />));
    return faults(box).map((fault) => `${JSON.stringify(text)}: ${fault}`);
  });
  return { count: HOSTILE.length, faults: found };
}

/** Streams each text: cut at every place, and then in two pieces at every third. */
function cut(from: number, to: number): string[] {
  return HOSTILE.slice(from, to).flatMap((text) => {
    const found: string[] = [];
    const { box, root } = placed();
    const show = (key: number, part: string, isGrowing: boolean) => {
      flushSync(() => root.render(<Markdown key={key} text={part} isGrowing={isGrowing} />));
      found.push(...faults(box).map((fault) => `${JSON.stringify(part)}: ${fault}`));
    };
    for (let end = 1; end <= text.length; end += 1) show(0, text.slice(0, end), true);
    show(0, text, false);
    for (let end = 1; end < text.length; end += 3) {
      flushSync(() => root.render(<Markdown key={end} text={text.slice(0, end)} isGrowing />));
      show(end, text, false);
    }
    flushSync(() => root.unmount());
    box.remove();
    return found;
  });
}

/** How many formulas and pieces of code are drawn: that they are is part of the trial. */
const drawn = () => ({
  formulas: host.querySelectorAll(".katex").length,
  colours: host.querySelectorAll("[class^=code-]").length,
});

/** Waits until formulas are drawn and code is coloured; returns how many, and what is wrong then. */
async function settled() {
  let before = "";
  for (let now = drawn(); now.formulas < 20 || now.colours < 20 || JSON.stringify(now) !== before; now = drawn()) {
    before = JSON.stringify(now);
    await new Promise((resolve) => setTimeout(resolve, 700));
  }
  return { ...drawn(), faults: [...host.children].flatMap(faults) };
}

Object.assign(window, { trial: { whole, cut, settled, alarms, count: HOSTILE.length } });
