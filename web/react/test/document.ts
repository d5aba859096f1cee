import { Window } from "happy-dom";

const window = new Window();
const { document, navigator } = window;
const requestAnimationFrame = window.requestAnimationFrame.bind(window);
const cancelAnimationFrame = window.cancelAnimationFrame.bind(window);
const globals = { window, document, navigator, requestAnimationFrame, cancelAnimationFrame };
for (const [name, value] of Object.entries(globals)) {
  // Node has a navigator of its own, from version 21 on, that cannot be assigned.
  Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
}
