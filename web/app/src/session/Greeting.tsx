import { ServerOff, SwatchBook } from "lucide-react";
import { useModels, useUser } from "../house";
import { t } from "../i18n";
import { address } from "../route";
import type { Draft } from "./draft";
import "./greeting.css";

/** What one reads before the first message. */
export function Greeting({ draft }: { draft: Draft }) {
  const user = useUser();
  // An account that was never given a name has one that nobody is called.
  const name = user && !["owner", "anonymous"].includes(user.name) ? user.name : undefined;
  return (
    <div className="greeting">
      <p className="greeting-words">{name ? t("new.greetingName", { name }) : t("new.greeting")}</p>
      {draft.preset && <FromPreset name={draft.preset.name} />}
      <NoModelServer isStandIn={draft.isStandIn} />
    </div>
  );
}

function FromPreset({ name }: { name: string }) {
  return (
    <p className="greeting-note">
      <SwatchBook size={16} aria-hidden />
      <span>{t("new.fromPreset", { name })}</span>
      <a href={address("new")}>{t("new.withoutPreset")}</a>
    </p>
  );
}

/** The hint is for who has just started: it tells what to set. */
function NoModelServer({ isStandIn }: { isStandIn: boolean }) {
  const { isHealthy } = useModels();
  if (isHealthy !== false) return null;
  const text = t(isStandIn ? "new.noModelServer" : "new.noModelServerAtAll", { variable: "\0" });
  const [before, after] = text.split("\0");
  return (
    <p className="greeting-note" role="status">
      <ServerOff size={16} aria-hidden />
      <span>
        {before}
        <code>LLM_SERVER_URL</code>
        {after}
      </span>
    </p>
  );
}
