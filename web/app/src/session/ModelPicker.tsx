/** Which model answers: a button with its name, and the models of all providers behind it. */
import type { Model } from "@chatd/client";
import { Check, ChevronDown, RefreshCw } from "lucide-react";
import { type ReactNode, useId, useRef, useState } from "react";
import { useHouse, useModels } from "../house";
import { number, t } from "../i18n";
import { find, type Models } from "../models";
import { complain } from "../notices";
import { arrows } from "../ui/Menu";
import { beside } from "../ui/place";
import "./model-picker.css";

interface ModelPickerProps {
  /** An id or bare name; null: the default one. */
  readonly value: string | null;
  readonly onChange: (id: string | null) => void;
}

/** Of more models than this some are found sooner by typing. */
const FEW = 6;

export function ModelPicker({ value, onChange }: ModelPickerProps) {
  const id = useId();
  const known = useModels();
  const [isOpen, setOpen] = useState(false);
  const button = useRef<HTMLButtonElement>(null);
  const popover = useRef<HTMLDivElement>(null);
  const name = shownName(known, value);
  const toggled = (event: { newState: string }) => {
    setOpen(event.newState === "open");
    if (event.newState !== "open") return;
    requestAnimationFrame(() => {
      if (!button.current || !popover.current) return;
      beside(button.current, popover.current);
      popover.current.querySelector<HTMLElement>("input, [aria-checked=true], [role=menuitemradio]")?.focus();
    });
  };
  const choose = (chosen: string | null) => {
    popover.current?.hidePopover();
    if (chosen !== value) onChange(chosen);
  };
  return (
    <>
      <button type="button" ref={button} className="model-button" popoverTarget={id} aria-haspopup="menu" aria-expanded={isOpen} aria-label={t("model.choose", { model: name })}>
        <HealthDot isHealthy={known.isHealthy} />
        <span className="cut">{name}</span>
        <ChevronDown size={14} aria-hidden />
      </button>
      <div id={id} ref={popover} popover="auto" className="popover model-popover" onToggle={toggled}>
        {isOpen && <Choice known={known} value={value} onChoose={choose} />}
      </div>
    </>
  );
}

function shownName(known: Models, value: string | null): string {
  const model = find(known, value ?? known.default);
  return model?.name ?? value ?? t("model.default");
}

function HealthDot({ isHealthy }: { isHealthy: boolean | undefined }) {
  if (isHealthy === undefined) return null;
  return <span className="health-dot" data-healthy={isHealthy} title={t(isHealthy ? "model.healthy" : "model.unhealthy")} />;
}

interface ChoiceProps {
  readonly known: Models;
  readonly value: string | null;
  readonly onChoose: (id: string | null) => void;
}

function Choice({ known, value, onChoose }: ChoiceProps) {
  const [query, setQuery] = useState("");
  const wanted = query.trim().toLowerCase();
  const models = known.models.filter(({ id }) => id.toLowerCase().includes(wanted));
  const current = find(known, value)?.id ?? value;
  return (
    <div onKeyDown={arrows}>
      {known.models.length > FEW && (
        <input className="model-search" type="search" placeholder={t("model.search")} aria-label={t("model.search")} value={query} onChange={(event) => setQuery(event.target.value)} />
      )}
      <div role="menu" aria-label={t("model.label")} className="model-list">
        {!wanted && (
          <Option isChosen={current === null} onChoose={() => onChoose(null)} name={t("model.default")} hint={find(known, known.default)?.name} />
        )}
        {current !== null && !find(known, current) && (
          <Option isChosen onChoose={() => onChoose(current)} name={current} hint={t("model.unknown")} />
        )}
        <Providers models={models} current={current} onChoose={onChoose} />
        {!models.length && wanted && <p className="model-note">{t("model.none")}</p>}
      </div>
      <Health isHealthy={known.isHealthy} />
    </div>
  );
}

interface ProvidersProps {
  readonly models: readonly Model[];
  readonly current: string | null;
  readonly onChoose: (id: string) => void;
}

function Providers({ models, current, onChoose }: ProvidersProps) {
  const names = [...new Set(models.map(({ provider }) => provider))];
  return names.map((provider) => (
    <div key={provider} role="group" aria-label={provider}>
      <p className="model-provider" aria-hidden>
        {provider}
      </p>
      {models
        .filter((model) => model.provider === provider)
        .map((model) => (
          <Option key={model.id} isChosen={model.id === current} onChoose={() => onChoose(model.id)} name={model.name} hint={size(model)} />
        ))}
    </div>
  ));
}

function size({ context_length: length }: Model): string | undefined {
  if (!length) return undefined;
  return t("model.context", { size: number(length, { notation: "compact" }) });
}

interface OptionProps {
  readonly isChosen: boolean;
  readonly name: ReactNode;
  readonly hint?: string | undefined;
  readonly onChoose: () => void;
}

function Option({ isChosen, name, hint, onChoose }: OptionProps) {
  return (
    <button type="button" role="menuitemradio" aria-checked={isChosen} tabIndex={-1} className="menu-item" onClick={onChoose}>
      <span className="cut model-name">{name}</span>
      {hint && <small className="model-hint">{hint}</small>}
      <Check size={16} aria-hidden className="model-check" />
    </button>
  );
}

function Health({ isHealthy }: { isHealthy: boolean | undefined }) {
  const { models } = useHouse();
  const [isAsking, setAsking] = useState(false);
  const ask = () => {
    setAsking(true);
    models.refresh().catch(complain).finally(() => setAsking(false));
  };
  return (
    <div className="model-health">
      <HealthDot isHealthy={isHealthy} />
      <span role="status">{isHealthy !== undefined && t(isHealthy ? "model.healthy" : "model.unhealthy")}</span>
      <button type="button" className="icon-button icon-button-small" disabled={isAsking} aria-label={t("model.refresh")} title={t("model.refresh")} onClick={ask}>
        <RefreshCw size={14} aria-hidden className={isAsking ? "turning" : ""} />
      </button>
    </div>
  );
}
