import type { NewPreset, Preset } from "@chatd/client";
import { type FormEvent, useState } from "react";
import { useHouse, useModels } from "../house";
import { t } from "../i18n";
import { complain, say } from "../notices";
import { Field, readTuning, type Troubles, Tuning, troublesOf } from "../session/Tuning";
import { Dialog } from "../ui/Dialog";

interface PresetFormProps {
  /** The preset that is changed; undefined: a new one. */
  readonly preset: Preset | undefined;
  readonly onSaved: (preset: Preset) => void;
  readonly onClose: () => void;
}

export function PresetForm({ preset, onSaved, onClose }: PresetFormProps) {
  const { chatd } = useHouse();
  const [troubles, setTroubles] = useState<Troubles>({});
  const save = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    try {
      const given = read(new FormData(event.currentTarget));
      const { api } = chatd;
      onSaved(await (preset ? api.changePreset(preset.id, given, preset.version) : api.createPreset(given)));
      say({ text: t("app.saved") });
      onClose();
    } catch (error) {
      const found = troublesOf(error);
      setTroubles(found);
      if (!Object.keys(found).length) complain(error);
    }
  };
  return (
    <Dialog title={t(preset ? "presets.edit" : "presets.create")} onClose={onClose}>
      <form className="form" onSubmit={save}>
        <About preset={preset} troubles={troubles} />
        <Tuning value={preset ?? { system_prompt: "", settings: {} }} troubles={troubles} />
        <Sharing preset={preset} />
        <footer className="dialog-foot">
          <button type="button" className="button" onClick={onClose}>
            {t("app.cancel")}
          </button>
          <button type="submit" className="button button-primary">
            {t("app.save")}
          </button>
        </footer>
      </form>
    </Dialog>
  );
}

function read(form: FormData): NewPreset {
  const text = (name: string) => String(form.get(name) ?? "").trim();
  return {
    ...readTuning(form),
    name: text("name"),
    description: text("description"),
    model: text("model") || null,
    is_public: form.has("is_public"),
  };
}

function About({ preset, troubles }: { preset: Preset | undefined; troubles: Troubles }) {
  return (
    <>
      <Field name="name" label="presets.name" trouble={troubles.name}>
        {(given) => <input {...given} className="input" required maxLength={200} dir="auto" autoFocus defaultValue={preset?.name} />}
      </Field>
      <Field name="description" label="presets.description" trouble={troubles.description}>
        {(given) => <input {...given} className="input" dir="auto" defaultValue={preset?.description} />}
      </Field>
      <Field name="model" label="model.label" trouble={troubles.model}>
        {(given) => <ModelSelect {...given} chosen={preset?.model ?? ""} />}
      </Field>
    </>
  );
}

/** A model by its id, as a field of a form; also one that is not listed. */
export function ModelSelect({ chosen, ...given }: { chosen: string; id: string; name: string; onChange?: (id: string) => void }) {
  const { models } = useModels();
  const { onChange, ...rest } = given;
  const known = models.find(({ id, name }) => id === chosen || name === chosen);
  return (
    <select {...rest} className="input" key={known?.id} defaultValue={known?.id ?? chosen} onChange={(event) => onChange?.(event.target.value)}>
      <option value="">{t("model.default")}</option>
      {chosen && !known && <option value={chosen}>{chosen}</option>}
      {models.map(({ id }) => (
        <option key={id} value={id}>
          {id}
        </option>
      ))}
    </select>
  );
}

function Sharing({ preset }: { preset: Preset | undefined }) {
  return (
    <label className="check">
      <input type="checkbox" name="is_public" defaultChecked={preset?.is_public} />
      <span>
        {t("presets.isPublic")}
        <span className="field-hint"> {t("presets.isPublicHint")}</span>
      </span>
    </label>
  );
}
