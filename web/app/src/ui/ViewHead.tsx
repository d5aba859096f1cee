import { PanelLeft, SquarePen } from "lucide-react";
import { type ReactNode, useEffect } from "react";
import { t } from "../i18n";
import { address } from "../route";
import { toggleSidebar, useSidebar } from "../sidebar/visibility";
import "./view.css";

/** The line above a view: the way back to the sidebar where that is not seen, then what it is given. */
export function ViewHead({ children }: { children: ReactNode }) {
  const sidebar = useSidebar();
  const isSeen = sidebar === "beside";
  return (
    <header className="view-head">
      {!isSeen && (
        <>
          <button type="button" className="icon-button" aria-label={t("sidebar.show")} title={t("sidebar.show")} onClick={toggleSidebar}>
            <PanelLeft size={18} aria-hidden className="mirrored" />
          </button>
          <a className="icon-button" href={address("new")} aria-label={t("sidebar.new")} title={t("sidebar.new")}>
            <SquarePen size={18} aria-hidden />
          </a>
        </>
      )}
      {children}
    </header>
  );
}

interface SimpleViewProps {
  readonly title: string;
  readonly actions?: ReactNode;
  readonly children: ReactNode;
}

/** A view that is a column with a title. */
export function SimpleView({ title, actions, children }: SimpleViewProps) {
  useEffect(() => {
    document.title = `${title} · ${t("app.name")}`;
  }, [title]);
  return (
    <>
      <ViewHead>
        <h1 className="view-title cut">{title}</h1>
        {actions}
      </ViewHead>
      <div className="view">
        <div className="view-inner">{children}</div>
      </div>
    </>
  );
}
