/** How an answer ended, where that is not simply at its end. */
import type { Message } from "@chatd/client";
import { CircleAlert, CircleStop, Unplug } from "lucide-react";
import { t } from "../i18n";
import type { Deeds } from "./MessageView";

interface Props {
  readonly message: Message;
  readonly isFree: boolean;
  readonly deeds: Deeds;
}

export function Status({ message, isFree, deeds }: Props) {
  const said = saying(message);
  if (!said) return null;
  const { kind, text } = said;
  const Icon = { stopped: CircleStop, interrupted: Unplug, error: CircleAlert }[kind];
  return (
    <div className="status" data-kind={kind}>
      <Icon size={16} aria-hidden />
      <span>{text}</span>
      {kind === "stopped" ? null : (
        <button
          type="button"
          className="status-action"
          aria-disabled={!isFree}
          onClick={() => isFree && deeds.regenerate(message.id)}
        >
          {t(kind === "error" ? "thread.retry" : "thread.regenerate")}
        </button>
      )}
    </div>
  );
}

interface Saying {
  readonly kind: "stopped" | "interrupted" | "error";
  readonly text: string;
}

function saying({ status, error, finish_reason: reason, content }: Message): Saying | undefined {
  if (status === "stopped") return { kind: status, text: t("thread.stopped") };
  if (status === "interrupted") return { kind: status, text: t("thread.interrupted") };
  if (status === "error") return { kind: status, text: error?.message ?? t("thread.failed") };
  if (status === "complete" && reason === "length") return { kind: "stopped", text: t("thread.tooLong") };
  if (status === "complete" && reason === "content_filter") {
    return { kind: "stopped", text: t("thread.filtered") };
  }
  return status === "complete" && !content.trim() ? { kind: "stopped", text: t("thread.empty") } : undefined;
}
