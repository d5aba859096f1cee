import type { Session } from "@chatd/client";
import { type FormEvent, useState } from "react";
import { useHouse } from "../house";
import { t } from "../i18n";
import { complain, say } from "../notices";
import { Dialog } from "../ui/Dialog";
import { readTuning, type Troubles, Tuning, troublesOf } from "./Tuning";

/** What the model of a session is told, and how it draws. */
export function SessionSettings({ session, onClose }: { session: Session; onClose: () => void }) {
  const { chatd } = useHouse();
  const [troubles, setTroubles] = useState<Troubles>({});
  const save = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    try {
      await chatd.api.changeSession(session.id, readTuning(new FormData(event.currentTarget)));
      say({ text: t("app.saved") });
      onClose();
    } catch (error) {
      const found = troublesOf(error);
      setTroubles(found);
      if (!Object.keys(found).length) complain(error);
    }
  };
  return (
    <Dialog title={t("session.settings")} onClose={onClose}>
      <form className="form" onSubmit={save}>
        <Tuning value={session} troubles={troubles} />
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
