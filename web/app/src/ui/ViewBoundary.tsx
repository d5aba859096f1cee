import { Component, type ReactNode } from "react";
import { t } from "../i18n";

/** Says that a view has failed, where everything would vanish otherwise. */
export class ViewBoundary extends Component<{ children: ReactNode }, { hasFailed: boolean }> {
  override state = { hasFailed: false };

  static getDerivedStateFromError() {
    return { hasFailed: true };
  }

  override render() {
    if (!this.state.hasFailed) return this.props.children;
    return (
      <div className="nothing" role="alert">
        <p>{t("app.failed")}</p>
        <button type="button" className="button" onClick={() => location.reload()}>
          {t("app.reload")}
        </button>
      </div>
    );
  }
}
