/** The messages of a session, and where one writes. */
import type { ChatState } from "@chatd/client";
import { type ReactNode, useCallback, useRef } from "react";
import { Composer } from "./Composer";
import { Conversation } from "./Conversation";
import { draftOf, keepDraft } from "./kept";
import "./thread.css";
import "./message.css";
import "./fold.css";
import "./composer.css";

export interface ThreadProps {
  /** Undefined: there is no session yet; the first text that is sent makes one, by `start`. */
  readonly sessionId: string | undefined;
  /**
   * Makes a session that begins with this text and goes to its address; rejects if that is refused. The
   * Thread of that session then gets the text from `takeFirst(sessionId)` when it is mounted, and sends it.
   */
  readonly start: (text: string) => Promise<void>;
  /** The id of a message that was looked for: to be scrolled to and marked. */
  readonly highlight?: string | undefined;
  /** Called at most once in a frame, so that the head can show connection, model and tokens. */
  readonly onState?: ((state: ChatState) => void) | undefined;
  /** What stands above the composer while there is no message: the greeting. */
  readonly greeting?: ReactNode;
}

/** The name of the draft of a session that is not there yet. */
const NEW = "new";

export function Thread(props: ThreadProps) {
  const { sessionId } = props;
  if (sessionId === undefined) return <Beginning {...props} />;
  return <Conversation {...props} sessionId={sessionId} key={sessionId} />;
}

function Beginning({ start, greeting }: ThreadProps) {
  const isStarting = useRef(false);
  const send = useCallback(
    async (text: string) => {
      if (isStarting.current) return false; // a second one would make another session
      isStarting.current = true;
      const isStarted = await start(text).then(() => true, () => false);
      isStarting.current = false;
      // Also for an author who has left meanwhile: the composer that would get it back is gone.
      if (!isStarted) keepDraft(NEW, draftOf(NEW) || text);
      return isStarted;
    },
    [start],
  );
  return (
    <div className="thread" data-empty>
      <div className="thread-greeting">{greeting}</div>
      <div className="thread-foot">
        <Composer draft={NEW} onSend={send} />
      </div>
    </div>
  );
}
