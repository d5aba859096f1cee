/** The messages of a session, and where one writes: a placeholder, until the real one is here. */
import type { ChatState } from "@chatd/client";
import { useChatSession } from "@chatd/react";
import { type FormEvent, type ReactNode, useEffect, useState } from "react";
import { takeFirst } from "../first";

export interface ThreadProps {
  /** Undefined: there is no session yet; the first text that is sent makes one, by `start`. */
  sessionId: string | undefined;
  /**
   * Makes a session that begins with this text and goes to its address; rejects if that is refused. The
   * Thread of that session then gets the text from `takeFirst(sessionId)` when it is mounted, and sends it.
   */
  start: (text: string) => Promise<void>;
  /** The id of a message that was looked for: to be scrolled to and marked. */
  highlight?: string | undefined;
  /** Called at each change, so that the head of the session can show connection, model and tokens. */
  onState?: ((state: ChatState) => void) | undefined;
  /** What stands above the composer while there is no message: the greeting. */
  greeting?: ReactNode;
}

export function Thread(props: ThreadProps) {
  const { sessionId } = props;
  return sessionId === undefined ? <Draft {...props} /> : <Messages {...props} sessionId={sessionId} key={sessionId} />;
}

function Draft({ start, greeting }: ThreadProps) {
  return (
    <div className="thread">
      <div className="thread-scroll">{greeting}</div>
      <Composer onSend={(text) => void start(text)} />
    </div>
  );
}

function Messages({ sessionId, onState }: ThreadProps & { sessionId: string }) {
  const { state, session } = useChatSession(sessionId);
  useEffect(() => onState?.(state), [state, onState]);
  useEffect(() => {
    const first = takeFirst(sessionId);
    if (first) session.send(first.text, first.clientId);
  }, [session, sessionId]);
  return (
    <div className="thread">
      <div className="thread-scroll">
        {state.messages.map((message) => (
          <article key={message.id} className={`${message.role} ${message.status}`}>
            <div className="text">{message.id === state.running?.messageId ? state.running.text : message.content}</div>
          </article>
        ))}
      </div>
      <Composer onSend={(text) => session.send(text)} />
    </div>
  );
}

function Composer({ onSend }: { onSend: (text: string) => void }) {
  const [text, setText] = useState("");
  const submit = (event?: FormEvent) => {
    event?.preventDefault();
    if (!text.trim()) return;
    setText("");
    onSend(text);
  };
  return (
    <form onSubmit={submit}>
      <textarea
        aria-label="Message"
        autoFocus
        value={text}
        onChange={(event) => setText(event.target.value)}
        onKeyDown={(event) => event.key === "Enter" && !event.shiftKey && submit(event)}
      />
      <button type="submit">Send</button>
    </form>
  );
}
