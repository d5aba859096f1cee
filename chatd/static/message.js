// What a message looks like, stored or still being written.

import { element } from "./elements.js";

export const ENDINGS = {
  complete: "The reply is complete.",
  stopped: "The reply was stopped.",
  interrupted: "The reply was cut off.",
  error: "The reply failed.",
};

const folded = (className, summary, text) =>
  element("details", { className }, element("summary", {}, summary), element("div", {}, text));

const asText = (value) =>
  typeof value === "string" ? value : JSON.stringify(value ?? "", null, 2);

function partElement({ type, text, name = "a tool", arguments: given, result, is_error }) {
  if (type === "reasoning") return folded("reasoning", "Reasoning", text);
  if (type === "tool_call") return folded("tool", `Called ${name}`, asText(given));
  if (type !== "tool_result") return "";
  return folded("tool", `${is_error ? "Failure" : "Answer"} of ${name}`, asText(result));
}

function note(message) {
  if (!(message.status in ENDINGS) || message.status === "complete") return "";
  const reason = message.error?.message ?? message.error?.detail ?? "";
  return element("p", { className: "note" }, `${ENDINGS[message.status]} ${reason}`.trim());
}

/** Return the element of a stored message. */
export function article(message) {
  const time = message.created_at ? new Date(message.created_at).toLocaleString() : "";
  const author = message.role === "user" ? "You" : (message.model ?? message.role);
  return element(
    "article",
    { className: `${message.role} ${message.status}`, title: time },
    element("h3", {}, author),
    ...(message.parts ?? []).map(partElement),
    element("div", { className: "text" }, message.content ?? ""),
    note(message),
  );
}

/** The message of a running generation, as far as it is known here: `have` entries of its log. */
export class Reply {
  constructor(generationId, message) {
    Object.assign(this, { id: generationId, message, have: 0 });
    this.article = element("article");
    this.clear();
  }

  clear() {
    const { className, childNodes } = article({ ...this.message, parts: [], content: "" });
    this.article.className = className;
    this.article.replaceChildren(...childNodes);
    this.text = this.article.querySelector(".text").appendChild(new Text());
    this.reasoning = null;
  }

  /** Follow the client rule of PROTOCOL 4.3; false means that entries before it are missing. */
  take(frame) {
    if (frame.seq <= this.have) return true;
    if (frame.prev !== this.have && frame.prev !== 0) return false;
    if (frame.prev !== this.have) this.clear();
    this.have = frame.seq;
    this.show(frame);
    return true;
  }

  show(frame) {
    if (frame.type === "ai_message_chunk") this.text.appendData(frame.content);
    else if (frame.type === "ai_reasoning_chunk") this.reason(frame.content);
    else this.insert(partElement({ ...frame, type: frame.type.slice("ai_".length) }));
  }

  reason(content) {
    if (!this.reasoning) {
      const details = this.insert(partElement({ type: "reasoning", text: "" }));
      this.reasoning = details.lastChild.appendChild(new Text());
    }
    this.reasoning.appendData(content);
  }

  insert(details) {
    this.text.parentNode.before(details);
    return details;
  }
}
