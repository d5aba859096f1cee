/** Presets: one's own and those of others, to start sessions from. */
import type { Preset } from "@chatd/client";
import { Ellipsis, Pencil, Plus, Share2, Trash2 } from "lucide-react";
import { useCallback, useState } from "react";
import { type House, useHouse } from "../house";
import { t } from "../i18n";
import { complain, say } from "../notices";
import { address } from "../route";
import { Confirm } from "../ui/Dialog";
import { Menu } from "../ui/Menu";
import { type Pages, usePages, useSight } from "../ui/pages";
import { SimpleView } from "../ui/ViewHead";
import { PresetForm } from "./PresetForm";
import "./presets.css";

type Open = { readonly form: Preset | undefined } | { readonly deleting: Preset } | undefined;

export default function PresetsView() {
  const { chatd } = useHouse();
  const load = useCallback((cursor?: string) => chatd.api.presets({ limit: 100, ...(cursor ? { cursor } : {}) }), [chatd]);
  const pages = usePages(load);
  const [open, setOpen] = useState<Open>();
  const close = () => setOpen(undefined);
  const create = (
    <button type="button" className="button button-primary" onClick={() => setOpen({ form: undefined })}>
      <Plus size={16} aria-hidden />
      {t("presets.create")}
    </button>
  );
  return (
    <SimpleView title={t("presets.title")} actions={create}>
      <PresetList pages={pages} onOpen={setOpen} />
      {open && "form" in open && <PresetForm preset={open.form} onClose={close} onSaved={(preset) => pages.change(withPreset(preset))} />}
      {open && "deleting" in open && (
        <Confirm title={t("presets.deleteTitle")} text={t("presets.deleteText", { name: open.deleting.name })} action={t("session.delete")} onClose={close} onConfirm={() => void remove(chatd.api, open.deleting, pages)} />
      )}
    </SimpleView>
  );
}

/** Returns what puts a preset where it was, or first. */
function withPreset(preset: Preset) {
  return (items: readonly Preset[]) =>
    items.some(({ id }) => id === preset.id)
      ? items.map((item) => (item.id === preset.id ? preset : item))
      : [preset, ...items];
}

async function remove(api: House["chatd"]["api"], { id }: Preset, pages: Pages<Preset>): Promise<void> {
  try {
    await api.deletePreset(id);
    pages.change((items) => items.filter((item) => item.id !== id));
  } catch (error) {
    complain(error);
  }
}

interface PresetListProps {
  readonly pages: Pages<Preset>;
  readonly onOpen: (open: Open) => void;
}

function PresetList({ pages, onOpen }: PresetListProps) {
  const [query, setQuery] = useState("");
  const more = useSight(pages.loadMore);
  const wanted = query.trim().toLowerCase();
  const found = pages.items.filter(({ name, description }) => `${name}\n${description}`.toLowerCase().includes(wanted));
  if (pages.error) return <p className="view-note">{String((pages.error as Error).message)}</p>;
  return (
    <>
      <input type="search" className="input" placeholder={t("presets.search")} aria-label={t("presets.search")} value={query} onChange={(event) => setQuery(event.target.value)} />
      <p className="view-note" role="status">
        {!pages.isLoading && !found.length && t(wanted ? "presets.noMatch" : "presets.empty")}
      </p>
      <ul className="cards preset-cards">
        {found.map((preset) => (
          <PresetCard key={preset.id} preset={preset} onOpen={onOpen} onShared={(changed) => pages.change(withPreset(changed))} />
        ))}
      </ul>
      {pages.hasMore && <span ref={more} key={pages.items.length} />}
    </>
  );
}

interface PresetCardProps {
  readonly preset: Preset;
  readonly onOpen: (open: Open) => void;
  readonly onShared: (preset: Preset) => void;
}

function PresetCard({ preset, onOpen, onShared }: PresetCardProps) {
  const { chatd } = useHouse();
  const { name, description, is_public, editable, model } = preset;
  const share = () =>
    chatd.api.changePreset(preset.id, { is_public: !is_public }, preset.version).then((changed) => {
      onShared(changed);
      say({ text: t(changed.is_public ? "presets.shared" : "presets.unshared", { name }) });
    }, complain);
  const items = [
    { label: t("presets.edit"), icon: <Pencil size={16} aria-hidden />, run: () => onOpen({ form: preset }) },
    { label: t(is_public ? "presets.unshare" : "presets.share"), icon: <Share2 size={16} aria-hidden />, run: () => void share() },
    { label: t("session.delete"), icon: <Trash2 size={16} aria-hidden />, run: () => onOpen({ deleting: preset }), isDanger: true },
  ];
  return (
    <li className="card">
      <div className="card-head">
        <h2 className="cut" dir="auto">{name}</h2>
        {editable && <Menu label={t("session.actions", { title: name })} className="icon-button icon-button-small" trigger={<Ellipsis size={16} aria-hidden />} items={items} />}
      </div>
      <p className="preset-about" dir="auto">{description || preset.system_prompt}</p>
      <div className="card-foot">
        <a className="button" href={address("new", undefined, { preset: preset.id })}>
          {t("presets.start")}
        </a>
        {is_public && <span className="tag">{t("presets.public")}</span>}
        {model && <span className="cut">{model}</span>}
      </div>
    </li>
  );
}
