const GAP = 6; // pixels

/** Puts a popover below what opened it, or above where there is more room, within the window. */
export function beside(opener: HTMLElement, popover: HTMLElement): void {
  const around = opener.getBoundingClientRect();
  const { width, height } = popover.getBoundingClientRect();
  const isBelow = around.bottom + GAP + height <= innerHeight || around.top < innerHeight - around.bottom;
  const top = isBelow ? around.bottom + GAP : around.top - GAP - height;
  const isLeft = around.left + around.width / 2 < innerWidth / 2;
  const left = isLeft ? around.left : around.right - width;
  popover.style.top = `${within(top, innerHeight - height)}px`;
  popover.style.left = `${within(left, innerWidth - width)}px`;
}

function within(value: number, most: number): number {
  return Math.max(GAP, Math.min(value, most - GAP));
}
