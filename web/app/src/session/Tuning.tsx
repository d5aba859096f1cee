/** The fields of what a model is told and how it draws: of a session, and of a preset. */
import type { ModelSettings } from "@chatd/client";
import { type ReactNode, useId } from "react";
import { type PlainKey, t } from "../i18n";
import "./tuning.css";

export interface Tuned {
  readonly system_prompt: string;
  readonly settings: ModelSettings;
}

/** For each field what is wrong with it, as the server or `readTuning` says. */
export type Troubles = Readonly<Record<string, string>>;

export function Tuning({ value, troubles }: { value: Tuned; troubles: Troubles }) {
  const { settings, system_prompt } = value;
  const tools = settings.enable_tools === undefined ? "" : String(settings.enable_tools);
  return (
    <>
      <Field name="system_prompt" label="tuning.systemPrompt" trouble={troubles.system_prompt}>
        {(given) => <textarea {...given} className="input" dir="auto" defaultValue={system_prompt} placeholder={t("tuning.systemPromptHint")} maxLength={100_000} />}
      </Field>
      <div className="tuning-row">
        <Field name="temperature" label="tuning.temperature" hint="tuning.temperatureHint" trouble={troubles.temperature}>
          {(given) => <input {...given} className="input" type="number" min={0} max={2} step={0.05} placeholder={t("tuning.default")} defaultValue={settings.temperature} />}
        </Field>
        <Field name="max_tokens" label="tuning.maxTokens" hint="tuning.maxTokensHint" trouble={troubles.max_tokens}>
          {(given) => <input {...given} className="input" type="number" min={1} step={1} placeholder={t("tuning.default")} defaultValue={settings.max_tokens} />}
        </Field>
        <Field name="enable_tools" label="tuning.tools" hint="tuning.toolsHint" trouble={troubles.enable_tools}>
          {(given) => (
            <select {...given} className="input" defaultValue={tools}>
              <option value="">{t("tuning.default")}</option>
              <option value="true">{t("tuning.on")}</option>
              <option value="false">{t("tuning.off")}</option>
            </select>
          )}
        </Field>
      </div>
      <Field name="options" label="tuning.options" hint="tuning.optionsHint" trouble={troubles.options}>
        {(given) => <textarea {...given} className="input tuning-options" dir="ltr" spellCheck={false} placeholder='{"top_p": 0.9}' defaultValue={asText(settings.options)} />}
      </Field>
    </>
  );
}

const asText = (options: ModelSettings["options"]) =>
  options && Object.keys(options).length ? JSON.stringify(options, null, 2) : "";

interface Given {
  readonly id: string;
  readonly name: string;
  readonly "aria-invalid": boolean | undefined;
  readonly "aria-describedby": string;
}

interface FieldProps {
  readonly name: string;
  readonly label: PlainKey;
  readonly hint?: PlainKey;
  readonly trouble: string | undefined;
  readonly children: (given: Given) => ReactNode;
}

/** A field with its label, what it is for, and what is wrong with it. */
export function Field({ name, label, hint, trouble, children }: FieldProps) {
  const id = useId();
  return (
    <div className="field">
      <label htmlFor={id}>{t(label)}</label>
      {children({ id, name, "aria-invalid": trouble ? true : undefined, "aria-describedby": `${id}-note` })}
      <p id={`${id}-note`} className={trouble ? "field-trouble" : "field-hint"}>
        {trouble ?? (hint && t(hint))}
      </p>
    </div>
  );
}

export class NotJson extends Error {}

/** Returns what was filled in; an empty field is null, the default. Throws NotJson. */
export function readTuning(form: FormData) {
  const text = (name: string) => String(form.get(name) ?? "").trim();
  const number = (name: string) => (text(name) === "" ? null : Number(text(name)));
  return {
    system_prompt: text("system_prompt"),
    settings: {
      temperature: number("temperature"),
      max_tokens: number("max_tokens"),
      enable_tools: text("enable_tools") === "" ? null : text("enable_tools") === "true",
      options: readOptions(text("options")),
    },
  };
}

function readOptions(text: string): Record<string, unknown> | null {
  if (text === "") return null;
  try {
    const options: unknown = JSON.parse(text);
    if (typeof options === "object" && options && !Array.isArray(options)) return options as Record<string, unknown>;
  } catch {
    // It is said below.
  }
  throw new NotJson(t("tuning.notJson"));
}

/** Returns what is wrong with each field, of an error: the server names inner ones with dots. */
export function troublesOf(error: unknown): Troubles {
  if (error instanceof NotJson) return { options: error.message };
  const fields = (error as { options?: { fields?: Record<string, unknown> } }).options?.fields ?? {};
  const named = Object.entries(fields).map(([name, said]) => {
    const [first = "", second] = name.split(".");
    return [first === "settings" && second ? second : first, [said].flat().join(" ")] as const;
  });
  return Object.fromEntries(named);
}
