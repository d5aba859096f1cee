/** Draws the whole page again: its texts have changed. */
import { Store } from "./store";

export const drawing = new Store(0);

export function redraw(): void {
  drawing.set(drawing.value + 1);
}
