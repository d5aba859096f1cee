/** The house: the sidebar, and beside it the view that the address names. */
import { lazy, Suspense, useEffect, useRef } from "react";
import { t } from "./i18n";
import { Overlays } from "./keys/Overlays";
import { type Route, useRoute } from "./route";
import { SessionView } from "./session/SessionView";
import { Sidebar } from "./sidebar/Sidebar";
import { isDrawerOpen, useSidebar } from "./sidebar/visibility";
import { ViewBoundary } from "./ui/ViewBoundary";
import "./frame.css";

const views = {
  presets: lazy(() => import("./presets/PresetsView")),
  search: lazy(() => import("./search/SearchView")),
  settings: lazy(() => import("./settings/SettingsView")),
  statistics: lazy(() => import("./statistics/StatisticsView")),
  trash: lazy(() => import("./trash/TrashView")),
};

export function Frame() {
  const route = useRoute();
  const sidebar = useSidebar();
  const main = useRef<HTMLElement>(null);
  useArrival(route, main);
  return (
    <div className="frame" data-sidebar={sidebar}>
      <a className="skip" href="#content" onClick={(event) => skip(event, main.current)}>
        {t("app.skip")}
      </a>
      <Sidebar route={route} />
      <main id="content" className="content" tabIndex={-1} ref={main}>
        <ViewBoundary key={`${route.view} ${route.id}`}>
          <Suspense fallback={<p className="unseen">{t("app.loading")}</p>}>
            <CurrentView route={route} />
          </Suspense>
        </ViewBoundary>
      </main>
      <Overlays />
    </div>
  );
}

function CurrentView({ route }: { route: Route }) {
  if (route.view === "nowhere") return <p className="nothing">{t("app.nowhere")}</p>;
  if (route.view === "new" || route.view === "session") return <SessionView route={route} />;
  const View = views[route.view];
  return <View route={route} />;
}

/** The address behind `#` is a view here, so that a link to a place has to be followed by hand. */
function skip(event: { preventDefault(): void }, main: HTMLElement | null): void {
  event.preventDefault();
  main?.focus();
}

/** Who goes to another view reads on there, not in the list where the link was. */
function useArrival(route: Route, main: { current: HTMLElement | null }): void {
  const isFirst = useRef(true);
  useEffect(() => {
    if (isFirst.current) isFirst.current = false;
    else if (!main.current?.contains(document.activeElement)) main.current?.focus();
    isDrawerOpen.set(false);
  }, [route, main]);
}
