/** Whether the sidebar is seen: beside the view, or over it where there is no room. */
import { useSyncExternalStore } from "react";
import { Store, useStore } from "../store";

const KEPT = "chatd.sidebar";
const wide = matchMedia("(min-width: 52rem)");

export const isDrawerOpen = new Store(false);
const isHidden = new Store(localStorage.getItem(KEPT) === "hidden");

export type Visibility = "beside" | "hidden" | "over" | "away";

function useIsWide(): boolean {
  return useSyncExternalStore(
    (listener) => {
      wide.addEventListener("change", listener);
      return () => wide.removeEventListener("change", listener);
    },
    () => wide.matches,
  );
}

/** Returns how the sidebar is: where there is room `beside` or `hidden`, elsewhere `over` or `away`. */
export function useSidebar(): Visibility {
  const isWide = useIsWide();
  const isOpen = useStore(isDrawerOpen);
  const isOff = useStore(isHidden);
  if (isWide) return isOff ? "hidden" : "beside";
  return isOpen ? "over" : "away";
}

/** Shows the sidebar, or hides it; beside the view that is kept for the next time. */
export function toggleSidebar(): void {
  if (!wide.matches) return isDrawerOpen.set(!isDrawerOpen.value);
  isHidden.set(!isHidden.value);
  if (isHidden.value) localStorage.setItem(KEPT, "hidden");
  else localStorage.removeItem(KEPT);
}
