import { Window } from "happy-dom";

const window = new Window();
const { document, navigator } = window;
for (const [name, value] of Object.entries({ window, document, navigator })) {
  // Node has a navigator of its own, from version 21 on, that cannot be assigned.
  Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
}
