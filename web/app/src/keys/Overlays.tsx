import { lazy, Suspense, useEffect } from "react";
import { useStore } from "../store";
import { Palette } from "./Palette"; // at hand: what is typed at once must not get lost
import { listen, overlay } from "./shortcuts";

const Help = lazy(() => import("./Help"));

const close = () => overlay.set(undefined);

/** What keys bring up over everything. */
export function Overlays() {
  const open = useStore(overlay);
  useEffect(listen, []);
  return (
    <Suspense>
      {open === "palette" && <Palette onClose={close} />}
      {open === "help" && <Help onClose={close} />}
    </Suspense>
  );
}
