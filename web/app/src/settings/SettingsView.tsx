/** How the page looks, and one's account. */
import { LogOut } from "lucide-react";
import { type ReactNode, useState } from "react";
import { useHouse, useUser } from "../house";
import { chooseLanguage, currentLanguage, LANGUAGES, type Language, t } from "../i18n";
import { redraw } from "../languages";
import { complain, say } from "../notices";
import { ModelSelect } from "../presets/PresetForm";
import { signOut } from "../server";
import { chooseTheme, currentTheme, type Theme } from "../theme";
import { SimpleView } from "../ui/ViewHead";
import "./settings.css";

export default function SettingsView() {
  return (
    <SimpleView title={t("settings.title")}>
      <Section title={t("settings.looks")}>
        <ThemeChoice />
        <LanguageChoice />
      </Section>
      <Section title={t("settings.chat")}>
        <DefaultModel />
      </Section>
      <Section title={t("settings.account")}>
        <Account />
      </Section>
    </SimpleView>
  );
}

function Section({ title, children }: { title: string; children: ReactNode }) {
  return (
    <section className="settings-section">
      <h2>{title}</h2>
      <div className="rows">{children}</div>
    </section>
  );
}

function ThemeChoice() {
  const [theme, setTheme] = useState(currentTheme);
  const choose = (chosen: Theme) => {
    chooseTheme(chosen);
    setTheme(chosen);
  };
  const themes = [["system", t("settings.system")], ["light", t("settings.light")], ["dark", t("settings.dark")]] as const;
  return (
    <div className="row">
      <span className="row-text" id="theme-label">{t("settings.theme")}</span>
      <div className="choice" role="radiogroup" aria-labelledby="theme-label">
        {themes.map(([value, label]) => (
          <label key={value}>
            <input type="radio" name="theme" className="unseen" checked={theme === value} onChange={() => choose(value)} />
            {label}
          </label>
        ))}
      </div>
    </div>
  );
}

function LanguageChoice() {
  const choose = (chosen: Language) => void chooseLanguage(chosen).then(redraw, complain);
  return (
    <div className="row">
      <label className="row-text" htmlFor="language">{t("settings.language")}</label>
      <select id="language" className="input settings-select" value={currentLanguage()} onChange={(event) => choose(event.target.value as Language)}>
        {Object.entries(LANGUAGES).map(([code, name]) => (
          <option key={code} value={code} lang={code}>
            {name}
          </option>
        ))}
      </select>
    </div>
  );
}

function DefaultModel() {
  const { chatd, models, user } = useHouse();
  const me = useUser();
  const choose = async (id: string) => {
    try {
      user.set(await chatd.api.changeMe({ preferences: { default_model: id || null } }));
      await models.load();
      say({ text: t("app.saved") });
    } catch (error) {
      complain(error);
    }
  };
  return (
    <div className="row">
      <label className="row-text" htmlFor="default-model">
        {t("settings.defaultModel")}
        <small>{t("settings.defaultModelHint")}</small>
      </label>
      <div className="settings-select">
        {me && <ModelSelect id="default-model" name="default-model" chosen={me.preferences.default_model ?? ""} onChange={(id) => void choose(id)} />}
      </div>
    </div>
  );
}

function Account() {
  const me = useUser();
  const { chatd } = useHouse();
  return (
    <div className="row">
      <span className="row-text">
        {me?.name}
        <small>{me?.roles.includes("admin") ? t("settings.admin") : ""}</small>
      </span>
      {chatd.api.token && (
        <button type="button" className="button" onClick={() => void signOut().catch(complain)}>
          <LogOut size={16} aria-hidden className="mirrored" />
          {t("settings.signOut")}
        </button>
      )}
    </div>
  );
}
