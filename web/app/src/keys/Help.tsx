import { t } from "../i18n";
import { Dialog } from "../ui/Dialog";
import { SHORTCUTS } from "./shortcuts";
import "./keys.css";

export default function Help({ onClose }: { onClose: () => void }) {
  return (
    <Dialog title={t("keys.title")} onClose={onClose} className="dialog-small">
      <dl className="keys">
        {SHORTCUTS.map(([label, keys]) => (
          <div key={label}>
            <dt>{t(label)}</dt>
            <dd dir="ltr">
              {keys.map((key) => (
                <kbd key={key}>{key}</kbd>
              ))}
            </dd>
          </div>
        ))}
      </dl>
    </Dialog>
  );
}
