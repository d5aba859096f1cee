/** What stands under a message: what can be done with it, and what it cost. */
import type { Message } from "@chatd/client";
import { ChevronLeft, ChevronRight, Pencil, RefreshCw } from "lucide-react";
import type { ReactNode } from "react";
import { date, number, t } from "../i18n";
import { Copy } from "../markdown/Copy";
import type { Branch, Deeds } from "./MessageView";
import { textOf } from "./pieces";

interface Props {
  readonly message: Message;
  readonly branch: Branch;
  readonly isFree: boolean;
  readonly isLast: boolean;
  readonly deeds: Deeds;
  /** Only of messages that can be edited. */
  readonly onEdit?: () => void;
}

export function Actions({ message, branch, isFree, isLast, deeds, onEdit }: Props) {
  const isModel = message.role === "assistant";
  const text = textOf(message);
  return (
    <footer className="actions" data-last={isLast || undefined}>
      {branch.count > 1 ? <Branches {...{ message, branch, isFree, deeds }} /> : null}
      {text ? <Copy text={text} label={t("thread.copy")} /> : null}
      {onEdit ? (
        <Action label={t("thread.edit")} isFree={isFree} onClick={onEdit} icon={<Pencil size={15} aria-hidden />} />
      ) : null}
      {isModel ? (
        <Action
          label={t("thread.regenerate")}
          isFree={isFree}
          onClick={() => deeds.regenerate(message.id)}
          icon={<RefreshCw size={15} aria-hidden />}
        />
      ) : null}
      {isModel ? <Facts message={message} /> : null}
    </footer>
  );
}

interface ActionProps {
  readonly label: string;
  readonly isFree: boolean;
  readonly onClick: () => void;
  readonly icon: ReactNode;
}

/** Not `disabled` while a turn runs: who has the focus there would lose it. */
function Action({ label, isFree, onClick, icon }: ActionProps) {
  return (
    <button
      type="button"
      className="icon-button icon-button-small"
      aria-label={label}
      title={isFree ? label : t("thread.notNow")}
      aria-disabled={!isFree}
      onClick={() => isFree && onClick()}
    >
      {icon}
    </button>
  );
}

function Branches({ message, branch, isFree, deeds }: Omit<Props, "isLast" | "onEdit">) {
  const { place, count } = branch;
  const step = (by: number) => () => {
    if (isFree && place + by >= 1 && place + by <= count) deeds.step(message, by);
  };
  const button = (by: number, label: string, icon: ReactNode) => (
    <button
      type="button"
      className="icon-button icon-button-small"
      aria-label={label}
      aria-disabled={!isFree || place + by < 1 || place + by > count}
      onClick={step(by)}
    >
      {icon}
    </button>
  );
  return (
    <span className="branches" role="group" aria-label={t("thread.branchOf", { place, count })}>
      {button(-1, t("thread.previousBranch"), <ChevronLeft className="mirrored" size={15} aria-hidden />)}
      <span>
        {number(place)}/{number(count)}
      </span>
      {button(1, t("thread.nextBranch"), <ChevronRight className="mirrored" size={15} aria-hidden />)}
    </span>
  );
}

/** The model, tokens and time of an answer. */
const DAY_AND_TIME = { dateStyle: "full", timeStyle: "medium" } as const;
const TIME = { hour: "numeric", minute: "2-digit" } as const;

/** Has ready what the end of an answer needs: at that moment somebody may be typing the next message. */
export function prepareFacts(): void {
  const works = [() => date(0, DAY_AND_TIME), () => date(0, TIME), () => number(0)];
  const later = globalThis.requestIdleCallback ?? ((act: () => void) => setTimeout(act, 1000));
  const next = () => {
    works.shift()?.();
    if (works.length > 0) later(next);
  };
  later(next);
}

function Facts({ message }: { message: Message }) {
  const { model, usage, created_at } = message;
  const tokens = usage?.completion_tokens;
  const hint = usage
    ? t("thread.tokensHint", { prompt: usage.prompt_tokens, completion: usage.completion_tokens })
    : undefined;
  return (
    <span className="facts">
      {model ? <span title={model}>{model.split("/").slice(1).join("/") || model}</span> : null}
      {tokens ? <span title={hint}>{t("thread.tokens", { count: tokens })}</span> : null}
      <time dateTime={created_at} title={date(created_at, DAY_AND_TIME)}>
        {date(created_at, TIME)}
      </time>
    </span>
  );
}
