// One open session: what is shown of it, kept as the server has it.

import { call, Connection } from "./connection.js";
import { article, ENDINGS, Reply } from "./message.js";

const PAGE = 50;

/** What is known of a reply whose beginning got lost. */
const unannounced = ({ message_id: id }) => ({ id, role: "assistant", status: "streaming" });

function keepOpen(before, after) {
  const isOpen = before?.querySelector("details.reasoning")?.open;
  const details = after.querySelector("details.reasoning");
  if (isOpen && details) details.open = true;
}

/**
 * The conversation of one session, shown in `view` (its elements) and kept up to date.
 *
 * `waiting` maps a session's id to the one message that is sent and not yet acknowledged; it
 * outlives the thread, so that the message is sent again when its session is opened again.
 * Events are handled one after the other: what arrives while messages load waits for them.
 */
export class Thread {
  constructor(id, { view, waiting, onSession, onChange, onState, onEnd, onTrouble }) {
    Object.assign(this, { id, view, waiting, onSession, onChange, onTrouble });
    Object.assign(this, { shown: new Map(), lastId: null, revision: 0, reply: null });
    this.inbox = Promise.resolve();
    this.fill([]);
    this.setEarlier(null);
    this.receive({ type: "open" });
    this.connection = new Connection(`/ws/ai-chat/session/${id}/?chunks=delta`, {
      onEvent: (event) => this.receive(event),
      onState,
      onEnd,
    });
  }

  close() {
    this.closed = true;
    this.connection.close();
  }

  receive(event) {
    const handle = () => (this.closed ? null : this[`on_${event.type}`]?.(event));
    this.inbox = this.inbox.then(handle).catch((error) => this.closed || this.onTrouble(error));
  }

  get unsent() {
    return this.waiting.get(this.id);
  }

  // What a user does

  post(message, clientId) {
    this.waiting.set(this.id, { message, client_id: clientId });
    this.showUnsent();
    this.flush();
  }

  /** Send what is not acknowledged: the same client_id again is the same message. */
  flush() {
    if (this.unsent) this.connection.send({ type: "send_message", ...this.unsent });
  }

  stop() {
    if (!this.reply) return;
    const { id, have } = this.reply; // what is stored ends where the reader saw it end
    this.connection.send({ type: "stop_generation", generation_id: id, seen_seq: have });
  }

  async loadEarlier() {
    const page = await call("GET", this.earlier);
    if (this.closed) return;
    this.setEarlier(page.previous);
    const { scroll, messages } = this.view;
    const below = scroll.scrollHeight - scroll.scrollTop;
    messages.prepend(...page.results.map((message) => this.remember(message)));
    scroll.scrollTop = scroll.scrollHeight - below;
  }

  // What the server says

  on_open() {
    return this.load(0);
  }

  async on_connection_established(head) {
    this.asked = null;
    if (head.epoch !== (this.epoch ?? head.epoch)) this.revision = 0;
    this.epoch = head.epoch;
    this.flush();
    await this.catchUp(head);
  }

  /** The head of the session: what was lost on the way here is asked for. */
  async on_pong(head) {
    this.asked = null;
    await this.catchUp(head);
    const { generation } = head;
    if (!generation || generation.generation_id === this.ended) return;
    const have = this.reply?.id === generation.generation_id ? this.reply.have : 0;
    if (generation.seq > have) this.resume(generation.generation_id, have);
  }

  on_user_message({ message }) {
    if (message.client_id && message.client_id === this.unsent?.client_id) this.forgetUnsent();
    return this.place(message);
  }

  async on_ai_typing({ generation_id, ai_message }) {
    if (this.reply?.id === generation_id) return;
    await this.place(ai_message);
    if (this.isStale(ai_message)) {
      this.ended = generation_id;
      return;
    }
    this.begin(generation_id, ai_message);
    this.announce("The model is answering.");
  }

  on_ai_message_chunk(frame) {
    this.take(frame);
  }

  on_ai_reasoning_chunk(frame) {
    this.take(frame);
  }

  on_ai_tool_call(frame) {
    this.take(frame);
  }

  on_ai_tool_result(frame) {
    this.take(frame);
  }

  on_ai_message_complete({ message, generation_id }) {
    return this.end(generation_id ?? message.generation_id, message);
  }

  on_message_updated({ message }) {
    return this.place(message);
  }

  on_error(event) {
    if (event.generation_id) return this.end(event.generation_id, event.ai_message);
    const refused = event.client_id && event.client_id === this.unsent?.client_id;
    const text = refused ? this.unsent.message : "";
    if (refused) this.forgetUnsent();
    this.onTrouble(new Error(event.message), text);
  }

  on_session_updated({ session }) {
    this.onSession(session);
    const isOtherBranch = session.head_id && session.head_id !== this.lastId && !this.reply;
    if (isOtherBranch) return this.load(this.revision);
  }

  // How it gets on the screen

  async load(revision) {
    const limit = Math.min(200, Math.max(PAGE, this.shown.size));
    const [session, page] = await Promise.all([
      call("GET", `sessions/${this.id}/`),
      call("GET", `sessions/${this.id}/messages/?limit=${limit}`),
    ]);
    if (this.closed) return;
    this.revision = revision;
    this.onSession(session);
    this.setEarlier(page.previous);
    this.fill(page.results);
  }

  /** Load what changed unnoticed: while away, or in an event that never arrived. */
  async catchUp({ revision = 0, generation }) {
    const isOver = this.reply && this.reply.id !== generation?.generation_id;
    if (isOver) this.finishReply();
    if (isOver || revision > this.revision) await this.load(revision);
  }

  fill(messages) {
    const { unsent, reply } = this;
    if (unsent && messages.some((message) => message.client_id === unsent.client_id)) {
      this.waiting.delete(this.id);
    }
    if (reply && messages.some((message) => message.id === reply.message.id)) this.finishReply();
    this.shown.clear();
    this.view.messages.replaceChildren(...messages.map((message) => this.remember(message)));
    this.lastId = messages.at(-1)?.id ?? null;
    this.showUnsent();
    if (this.reply) this.showReply();
  }

  /** Show a message where it belongs; one that does not follow the last is of another branch. */
  async place(message) {
    const belongs = () => this.shown.has(message.id) || (message.parent_id ?? null) === this.lastId;
    if (!belongs()) await this.load(message.revision);
    if (!belongs() || this.isStale(message)) return;
    const before = this.shown.get(message.id)?.article;
    const made = this.remember(message);
    keepOpen(before, made);
    this.show(message.id, made, before);
  }

  isStale({ id, revision = 0 }) {
    return revision < (this.shown.get(id)?.revision ?? 0);
  }

  remember({ revision = 0, ...message }) {
    const made = article(message);
    this.shown.set(message.id, { article: made, revision });
    this.revision = Math.max(this.revision, revision);
    return made;
  }

  show(id, made, before) {
    if (before) before.replaceWith(made);
    else if (this.unsentArticle) this.unsentArticle.before(made);
    else this.view.messages.append(made);
    if (!before) this.lastId = id;
    this.view.follow();
  }

  take(frame) {
    if (frame.generation_id === this.ended) return;
    if (frame.generation_id !== this.reply?.id) this.begin(frame.generation_id, unannounced(frame));
    if (!this.reply.take(frame)) this.resume(frame.generation_id, this.reply.have);
    this.view.follow();
  }

  begin(generationId, message) {
    this.reply = new Reply(generationId, message);
    this.showReply();
    this.onChange();
  }

  showReply() {
    const { message, article } = this.reply;
    const before = this.shown.get(message.id)?.article;
    this.shown.set(message.id, { article, revision: message.revision ?? 0 });
    this.show(message.id, article, before);
  }

  async end(generationId, message) {
    if (this.reply?.id === generationId) this.finishReply();
    this.ended = generationId;
    if (message) await this.place(message);
    this.announce(ENDINGS[message?.status] ?? "");
  }

  finishReply() {
    this.ended = this.reply.id;
    this.reply = null;
    this.onChange();
  }

  /** Ask once for the entries after `seq`; every frame that comes meanwhile shows the same hole. */
  resume(generationId, seq) {
    if (this.asked === `${generationId} ${seq}`) return;
    this.asked = `${generationId} ${seq}`;
    this.connection.send({ type: "resume", generation_id: generationId, after_seq: seq });
  }

  showUnsent() {
    this.unsentArticle?.remove();
    this.unsentArticle = null;
    if (this.unsent) {
      const { message: content } = this.unsent;
      this.unsentArticle = article({ role: "user", status: "unsent", content });
      this.view.messages.append(this.unsentArticle);
    }
    this.view.follow();
    this.onChange();
  }

  forgetUnsent() {
    this.waiting.delete(this.id);
    this.showUnsent();
  }

  setEarlier(path) {
    this.earlier = path;
    this.view.earlier.hidden = !path;
  }

  announce(text) {
    this.view.announcement.textContent = text;
  }
}
