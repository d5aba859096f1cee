/** Fields that are as high as their text, and keys that belong to an input method. */
import { type KeyboardEvent, type RefObject, useLayoutEffect } from "react";

const GROWS_BY_ITSELF = typeof CSS !== "undefined" && CSS.supports?.("field-sizing", "content");

/** Makes a field as high as what is in it, where the browser does not by `field-sizing`. */
export function useGrowing(field: RefObject<HTMLTextAreaElement | null>, value: string): void {
  useLayoutEffect(() => {
    const element = field.current;
    if (GROWS_BY_ITSELF || !element) return;
    element.style.blockSize = "auto";
    element.style.blockSize = `${element.scrollHeight}px`;
  }, [field, value]);
}

/** Whether a key is for the input method: its Enter takes a suggestion. Safari says it only by 229. */
export function isComposing(event: KeyboardEvent): boolean {
  return event.nativeEvent.isComposing || event.keyCode === 229;
}
