import "@fontsource-variable/inter/wght.css";
import "./styles/tokens.css";
import "./styles/base.css";
import "./styles/parts.css";
import { createRoot } from "react-dom/client";
import { App } from "./App";
import { loadLanguage } from "./i18n";
import { begin } from "./server";
import { prepareFacts } from "./thread/Actions";

const RELOADED = "chatd.reloaded";

// The server has been updated, and the part of the page that is wanted now has another name there.
addEventListener("vite:preloadError", (event) => {
  if (sessionStorage.getItem(RELOADED)) return;
  sessionStorage.setItem(RELOADED, "1");
  event.preventDefault();
  location.reload();
});

const root = createRoot(document.getElementById("root") as HTMLElement);
begin();
loadLanguage()
  .catch(() => undefined) // what cannot be loaded is said in English
  .finally(() => {
    root.render(<App />);
    prepareFacts();
  });
