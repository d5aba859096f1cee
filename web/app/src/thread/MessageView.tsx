/** One message of the thread. */
import type { Message, Running } from "@chatd/client";
import { memo, useState } from "react";
import { t } from "../i18n";
import { Actions } from "./Actions";
import { Editor } from "./Editor";
import { Pieces } from "./Pieces";
import { piecesOf } from "./pieces";
import { Bubble } from "./Bubble";
import { Status } from "./Status";

/** What can be done with messages; the same object as long as the thread is shown. */
export interface Deeds {
  regenerate(messageId: string): void;
  edit(messageId: string, text: string): void;
  /** Shows the alternative that stands so many places further. */
  step(message: Message, by: number): void;
}

export interface Branch {
  readonly place: number;
  readonly count: number;
}

interface Props {
  readonly message: Message;
  /** What has come of it, while it runs. */
  readonly running?: Running | undefined;
  readonly branch: Branch;
  /** Whether a turn may begin now. */
  readonly isFree: boolean;
  readonly isLast: boolean;
  readonly isMarked: boolean;
  readonly deeds: Deeds;
}

export const MessageView = memo(
  function MessageView(props: Props) {
    const { message, isMarked } = props;
    const kind = message.role === "user" || message.role === "assistant" ? message.role : "aside";
    const View = { user: UserMessage, assistant: ModelMessage, aside: OtherMessage }[kind];
    return (
      <article
        className={`message message-${kind} ${message.role} ${message.status}`}
        data-id={message.id}
        data-marked={isMarked || undefined}
        aria-label={t(`thread.from.${message.role}`)}
        tabIndex={-1}
      >
        <View {...props} />
      </article>
    );
  },
  (one, other) =>
    one.message === other.message &&
    one.running === other.running &&
    one.branch.place === other.branch.place &&
    one.branch.count === other.branch.count &&
    one.isFree === other.isFree &&
    one.isLast === other.isLast &&
    one.isMarked === other.isMarked &&
    one.deeds === other.deeds,
);

function UserMessage(props: Props) {
  const { message, deeds } = props;
  const [isEditing, setEditing] = useState(false);
  if (isEditing) {
    const save = (text: string) => {
      setEditing(false);
      if (text !== message.content) deeds.edit(message.id, text);
    };
    return <Editor text={message.content} onSave={save} onCancel={() => setEditing(false)} />;
  }
  return (
    <>
      <Bubble text={message.content} />
      <Actions {...props} onEdit={() => setEditing(true)} />
    </>
  );
}

function ModelMessage(props: Props) {
  const { message, running } = props;
  const isRunning = message.status === "streaming";
  const pieces = piecesOf(message, running);
  return (
    <>
      <div className="message-body text" aria-busy={isRunning}>
        <Pieces id={message.id} pieces={pieces} isRunning={isRunning} />
      </div>
      {isRunning && pieces.length === 0 ? <Waiting /> : null}
      <Status {...props} />
      {isRunning ? null : <Actions {...props} />}
    </>
  );
}

function Waiting() {
  return (
    <p className="waiting" role="status">
      <span className="unseen">{t("thread.waitsForModel")}</span>
      <i />
      <i />
      <i />
    </p>
  );
}

/** A system's or tool's message, as imported sessions have them. */
function OtherMessage({ message }: Props) {
  return (
    <details className="fold">
      <summary>
        <span>{t(`thread.from.${message.role}`)}</span>
      </summary>
      <div className="fold-content plain">{message.content}</div>
    </details>
  );
}
