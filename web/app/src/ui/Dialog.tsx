import { X } from "lucide-react";
import { type MouseEvent, type ReactNode, useId, useLayoutEffect, useRef } from "react";
import { t } from "../i18n";
import "./dialog.css";

interface DialogProps {
  readonly title: string;
  readonly onClose: () => void;
  readonly className?: string;
  readonly children: ReactNode;
}

/** A dialog over the page. Escape, its cross and the space around it close it. */
export function Dialog({ title, onClose, className = "", children }: DialogProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  const heading = useId();
  useModal(dialog);
  const clicked = (event: MouseEvent) => event.target === dialog.current && onClose();
  return (
    <dialog ref={dialog} className={`dialog ${className}`} aria-labelledby={heading} onCancel={onClose} onMouseDown={clicked}>
      <div className="dialog-inner">
        <header className="dialog-head">
          <h2 id={heading}>{title}</h2>
          <button type="button" className="icon-button" aria-label={t("app.close")} onClick={onClose}>
            <X size={18} aria-hidden />
          </button>
        </header>
        {children}
      </div>
    </dialog>
  );
}

/**
 * Opens a dialog, with the focus in its first field if it has one. It is closed before it leaves the
 * document: then the focus goes back to where it was.
 */
export function useModal(dialog: { readonly current: HTMLDialogElement | null }): void {
  useLayoutEffect(() => {
    const opened = dialog.current;
    opened?.showModal();
    opened?.querySelector<HTMLElement>("input, textarea, select")?.focus();
    return () => opened?.close();
  }, [dialog]);
}

interface ConfirmProps {
  readonly title: string;
  readonly text: string;
  readonly action: string;
  readonly onConfirm: () => void;
  readonly onClose: () => void;
}

/** Asks before what cannot be undone. */
export function Confirm({ title, text, action, onConfirm, onClose }: ConfirmProps) {
  const confirm = () => {
    onClose();
    onConfirm();
  };
  return (
    <Dialog title={title} onClose={onClose} className="dialog-small">
      <p className="dialog-text">{text}</p>
      <footer className="dialog-foot">
        <button type="button" className="button" onClick={onClose}>
          {t("app.cancel")}
        </button>
        <button type="button" className="button button-danger" onClick={confirm}>
          {action}
        </button>
      </footer>
    </Dialog>
  );
}
