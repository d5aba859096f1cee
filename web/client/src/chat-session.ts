import { type Api, newest } from "./api.js";
import { Carriage } from "./carriage.js";
import { BEGINNING, type ChatState } from "./chat-state.js";
import { ChatdError } from "./errors.js";
import { errorOf, Follower, type Step } from "./follower.js";
import { newId } from "./ids.js";
import type { Carrier, Receiver, Timing } from "./link.js";
import { Observable } from "./observable.js";
import { Outbox, type Turn } from "./outbox.js";
import { Thread } from "./thread.js";
import { Typing } from "./typing.js";
import type { Command, Message, ServerEvent, Session, TurnCommand } from "./wire.js";

/**
 * One session: connect, send, stop, regenerate, edit, select. Whatever happens to the connection, the
 * state converges on what the server has, and a turn is carried out once.
 */
export class ChatSession extends Observable<ChatState> implements Receiver {
  readonly #follower = new Follower();
  readonly #thread = new Thread();
  readonly #outbox: Outbox;
  readonly #typing = new Typing(() => this.#refresh());
  readonly #listeners = new Set<(event: ServerEvent) => void>();
  readonly #carrier: Carrier;
  #greetedAt = 0; // the revision of connection_established
  #headThen: string | null = null; // what it said is shown
  #loading: Promise<void> | undefined;
  #isClosed = true;

  constructor(
    readonly id: string,
    private readonly api: Api,
    timing: Timing,
  ) {
    super(BEGINNING);
    this.#outbox = new Outbox(
      (command) => this.#tell(command),
      (generationId) => this.#seen(generationId),
    );
    this.#carrier = new Carriage(id, api, this.#follower, this, timing);
  }

  /** Loads the newest messages and connects. Rejects with the ChatdError of the first load. */
  async open(): Promise<void> {
    if (this.state.connection !== "closed") return;
    this.#isClosed = false;
    this.update({ connection: "connecting" });
    try {
      await this.reload();
    } catch (error) {
      // What cannot be reached now may be later; what is refused is refused.
      if (!(error instanceof ChatdError) || !error.isRetryable) {
        this.refused(error as ChatdError);
        throw error;
      }
    }
    if (!this.#isClosed) this.#carrier.open();
  }

  /** Disconnects; what waits to be sent is withdrawn. */
  close(): void {
    this.#isClosed = true;
    this.#carrier.close();
    this.#outbox.fail(new ChatdError("The session was closed.", "closed"));
    this.#typing.close();
    this.update({ connection: "closed", pending: [], typing: [] });
  }

  /** Calls a listener with every event as it came, until what this returns is called. */
  onEvent(listener: (event: ServerEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  // Turns

  send(message: string, clientId = newId()): Turn {
    return this.#turn({ type: "send_message", message, client_id: clientId });
  }

  /** Asks for another answer; to the last message, unless another is named. */
  regenerate(messageId?: string, clientId = newId()): Turn {
    const which = messageId === undefined ? {} : { message_id: messageId };
    return this.#turn({ type: "regenerate", client_id: clientId, ...which });
  }

  /** Puts a new message beside an own one, and asks for an answer. */
  edit(messageId: string, message: string, clientId = newId()): Turn {
    const command = { type: "edit_message", message_id: messageId, message } as const;
    return this.#turn({ ...command, client_id: clientId });
  }

  /** Stops what runs, and keeps of its text what was seen here. */
  stop(turn?: Turn): void {
    if (turn) return this.#outbox.stop(turn);
    const running = this.state.running;
    if (!running) return;
    const { generationId: generation_id, have: seen_seq } = running;
    this.#tell({ type: "stop_generation", generation_id, seen_seq });
  }

  /** Shows the branch of a message. */
  async select(messageId: string): Promise<void> {
    this.#changed(await this.api.select(this.id, messageId));
  }

  // Messages

  /** Loads the newest messages again, and the session. */
  reload(): Promise<void> {
    this.#loading ??= this.#load().finally(() => {
      this.#loading = undefined;
      this.update({ isLoading: false });
    });
    return this.#loading;
  }

  async #load(): Promise<void> {
    this.update({ isLoading: true });
    const [session, page] = await Promise.all([
      this.api.session(this.id),
      this.api.messages(this.id),
    ]);
    this.#thread.put(page.results);
    this.#follower.loaded(newest(page.results));
    // A turn that is stored after the session was read has a newer head: it comes as an event.
    if (!this.#thread.show(session.head_id)) this.#thread.show(page.results.at(-1)?.id ?? null);
    this.update({ session });
    this.#refresh();
  }

  /** Loads a page of messages before those that are shown. */
  async loadOlder(): Promise<void> {
    const first = this.state.messages[0];
    if (!first || !this.state.hasOlder) return;
    this.update({ isLoading: true });
    try {
      const page = await this.api.messages(this.id, { before: first.seq });
      this.#thread.put(page.results);
    } finally {
      this.update({ isLoading: false });
    }
    this.#refresh();
  }

  /** Loads the alternatives around a message; then `siblings` knows them. */
  async loadBranches(message: Message): Promise<void> {
    const page = await this.api.messages(this.id, {
      branch: "all",
      after: Math.max(0, message.seq - 100),
      limit: 200,
    });
    this.#thread.put(page.results.filter(({ status }) => status !== "streaming"));
    this.#refresh();
  }

  /** The known alternatives to a message, itself among them, oldest first. */
  siblings(message: Message): readonly Message[] {
    return this.#thread.siblings(message);
  }

  // Smaller things

  /** Tells the session's other sockets that somebody types here; call it at each key. */
  sayTyping(): void {
    this.#typing.say(() => this.#tell({ type: "typing" }));
  }

  sayStoppedTyping(): void {
    this.#typing.sayStopped(() => this.#tell({ type: "stop_typing" }));
  }

  dismiss(): void {
    this.update({ error: undefined });
  }

  // What the carrier calls

  query(): Record<string, string> {
    return this.#follower.query();
  }

  received(data: unknown): void {
    const event = data as ServerEvent;
    if (event.type === "connection_established") {
      this.#greetedAt = event.revision;
      this.#headThen = event.head_id;
      this.update({ connection: "live", retryAt: undefined });
    }
    const step = this.#follower.feed(event);
    this.#outbox.take(event);
    this.#take(event, step);
    for (const command of step.commands) this.#tell(command);
    for (const listener of [...this.#listeners]) listener(event);
    if (step.isBehind) this.#carrier.drop();
  }

  lost(_reason: string, retryIn: number): void {
    this.update({ connection: "waiting", retryAt: Date.now() + retryIn });
  }

  refused(error: ChatdError): void {
    this.#isClosed = true;
    this.#carrier.close();
    this.#outbox.fail(error);
    this.update({ connection: "refused", error, pending: [] });
  }

  #take(event: ServerEvent, step: Step): void {
    this.#thread.put(step.messages);
    switch (event.type) {
      case "connection_established":
        this.#thread.show(event.head_id);
        this.#outbox.connected();
        if (step.mustReload) this.reload().catch((error) => this.update({ error }));
        break;
      case "user_message":
        this.#grow(event.message);
        break;
      case "ai_typing":
        this.#grow(event.ai_message);
        break;
      case "ai_message_complete":
        this.#grow(event.message);
        break;
      case "error":
        if (event.ai_message) this.#grow(event.ai_message);
        else if (!event.retryable) this.update({ error: errorOf(event) });
        break;
      case "session_updated":
        this.#changed(event.session);
        break;
      case "session_deleted":
        this.refused(new ChatdError("The session was deleted.", "session_deleted"));
        return;
      case "user_typing":
        this.#typing.heard(event.user, event.is_typing);
        break;
      case "pong":
        this.#outbox.ponged(event.generation?.generation_id);
        break;
      default:
    }
    this.#refresh();
  }

  /** A message was added. Of what is replayed only what the greeting named is the head. */
  #grow(message: Message): void {
    if (message.revision <= this.#greetedAt) this.#thread.show(this.#headThen);
    else if (message.parent_id === this.#thread.headId || this.#isLater(message)) {
      this.#thread.show(message.id);
    }
  }

  /** Whether a message is after the head, or beside it: a turn is always on the shown branch. */
  #isLater(message: Message): boolean {
    const head = this.#thread.headId === null ? undefined : this.#thread.get(this.#thread.headId);
    return head === undefined || message.seq > head.seq;
  }

  #changed(session: Session): void {
    const isKnown = this.#thread.show(session.head_id);
    this.update({ session });
    this.#refresh();
    if (!isKnown) this.reload().catch((error) => this.update({ error }));
  }

  #refresh(): void {
    const messages = this.#thread.shown;
    this.update({
      messages,
      hasOlder: this.#thread.hasOlder,
      running: this.#follower.running,
      pending: this.#outbox.pending,
      typing: this.#typing.others,
    });
  }

  #turn(command: TurnCommand): Turn {
    const turn = this.#outbox.add(command);
    this.#typing.sent();
    this.#refresh();
    turn.ended.catch(() => this.#refresh());
    return turn;
  }

  #seen(generationId: string): number | undefined {
    const running = this.#follower.running;
    return running?.generationId === generationId ? running.have : undefined;
  }

  #tell(command: Command): boolean {
    return this.#carrier.tell(command);
  }
}
