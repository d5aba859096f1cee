/** Light, dark, or as the system is. `public/theme.js` applies it before the first paint. */

export type Theme = "system" | "light" | "dark";

const KEPT = "chatd.theme";

export function currentTheme(): Theme {
  return (document.documentElement.dataset.theme as Theme | undefined) ?? "system";
}

export function chooseTheme(theme: Theme): void {
  const root = document.documentElement;
  if (theme === "system") {
    delete root.dataset.theme;
    localStorage.removeItem(KEPT);
  } else {
    root.dataset.theme = theme;
    localStorage.setItem(KEPT, theme);
  }
}
