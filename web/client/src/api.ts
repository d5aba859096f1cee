import { ChatdError } from "./errors.js";
import type {
  Message,
  MessageList,
  Model,
  ModelList,
  NewPreset,
  NewSession,
  Preset,
  PresetChanges,
  PresetList,
  Problem,
  SearchPage,
  Session,
  SessionChanges,
  SessionList,
  SignedIn,
  Stats,
  SyncReport,
  TurnAccepted,
  User,
  UserChanges,
} from "./wire.js";

type Query = Record<string, string | number | boolean | undefined>;

/** What to ask for, beside method and path. */
export interface Ask {
  readonly body?: unknown;
  readonly query?: Query;
  readonly headers?: Record<string, string>;
  readonly signal?: AbortSignal;
}

/** Where a server is, and how this client proves who it is. */
export interface ApiOptions {
  /** The address of the server: `https://chat.example.org`. */
  readonly url: string;
  readonly token?: string | undefined;
  /** The path that `[server] prefix` says; the default is the server's. */
  readonly prefix?: string;
  /** Milliseconds for an answer. */
  readonly timeout?: number;
  /** Called when the server does not know the token, or not any more. */
  readonly onUnauthorized?: () => void;
}

/** The REST interface: a method for each operation. All raise ChatdError. */
export class Api {
  readonly url: string;
  readonly prefix: string;
  token: string | undefined;
  readonly #timeout: number;
  readonly #onUnauthorized: (() => void) | undefined;

  constructor(options: ApiOptions) {
    this.url = options.url.replace(/\/+$/, "");
    this.prefix = options.prefix ?? "/ai-chat";
    this.token = options.token;
    this.#timeout = options.timeout ?? 60_000;
    this.#onUnauthorized = options.onUnauthorized;
  }

  /** Asks with an answer of JSON, or none. The path is that behind `/ai-chat/api/`. */
  async ask<Answer>(method: string, path: string, ask: Ask = {}): Promise<Answer> {
    const signals = [AbortSignal.timeout(this.#timeout), ...(ask.signal ? [ask.signal] : [])];
    const answer = await this.fetch(method, path, { ...ask, signal: AbortSignal.any(signals) });
    return (answer.status === 204 ? undefined : await answer.json()) as Answer;
  }

  /** Asks, and returns the answer unread, for a stream. It has no time limit of its own. */
  async fetch(method: string, path: string, ask: Ask = {}): Promise<Response> {
    const query = Object.entries(ask.query ?? {}).filter(([, value]) => value !== undefined);
    const search = new URLSearchParams(query.map(([name, value]) => [name, String(value)]));
    const base = path.startsWith("/") ? path : `${this.prefix}/api/${path}`;
    const headers: Record<string, string> = { ...ask.headers };
    if (this.token) headers.Authorization = `Token ${this.token}`;
    if (ask.body !== undefined) headers["Content-Type"] = "application/json";
    let answer: Response;
    try {
      answer = await fetch(`${this.url}${base}${query.length ? `?${search}` : ""}`, {
        method,
        headers,
        ...(ask.body === undefined ? {} : { body: JSON.stringify(ask.body) }),
        ...(ask.signal ? { signal: ask.signal } : {}),
      });
    } catch (cause) {
      if (ask.signal?.aborted && (ask.signal.reason as Error).name === "AbortError") throw cause;
      throw new ChatdError("The server cannot be reached.", "unreachable", { isRetryable: true });
    }
    if (answer.status === 401) this.#onUnauthorized?.();
    if (!answer.ok) throw await problem(answer);
    return answer;
  }

  // Sessions

  sessions(query: { q?: string; is_active?: boolean | "all"; limit?: number; cursor?: string } = {}) {
    return this.ask<SessionList>("GET", "sessions/", { query });
  }

  createSession(session: NewSession = {}) {
    return this.ask<Session>("POST", "sessions/", { body: session });
  }

  session(id: string) {
    return this.ask<Session>("GET", `sessions/${id}/`);
  }

  /** With `version`, only if nobody else has changed it: else it fails with `precondition_failed`. */
  changeSession(id: string, changes: SessionChanges, version?: number) {
    return this.ask<Session>("PATCH", `sessions/${id}/`, { body: changes, ...ifMatch(version) });
  }

  deleteSession(id: string, options: { purge?: boolean; version?: number } = {}) {
    const query = options.purge ? { purge: true } : {};
    return this.ask<void>("DELETE", `sessions/${id}/`, { query, ...ifMatch(options.version) });
  }

  restoreSession(id: string) {
    return this.ask<Session>("POST", `sessions/${id}/restore/`);
  }

  // Messages

  messages(
    sessionId: string,
    query: { before?: number; after?: number; since?: number; branch?: "all"; limit?: number } = {},
  ) {
    return this.ask<MessageList>("GET", `sessions/${sessionId}/messages/`, { query });
  }

  /** Returns when the message is stored; what the model answers comes by a socket or stream. */
  send(sessionId: string, message: string, clientId: string) {
    const body = { message, client_id: clientId };
    return this.turn("POST", `sessions/${sessionId}/send_message/`, body);
  }

  regenerate(sessionId: string, clientId: string, messageId?: string) {
    const body = { client_id: clientId, ...(messageId ? { message_id: messageId } : {}) };
    return this.turn("POST", `sessions/${sessionId}/regenerate/`, body);
  }

  edit(sessionId: string, messageId: string, content: string, clientId: string) {
    const body = { content, client_id: clientId };
    return this.turn("PATCH", `sessions/${sessionId}/messages/${messageId}/`, body);
  }

  private turn(method: string, path: string, body: unknown) {
    return this.ask<TurnAccepted>(method, path, { body, headers: { Prefer: "respond-async" } });
  }

  /** Shows the branch of a message. */
  select(sessionId: string, messageId: string) {
    return this.ask<Session>("POST", `sessions/${sessionId}/messages/${messageId}/select/`);
  }

  stop(sessionId: string, generation: { generation_id?: string; seen_seq?: number } = {}) {
    const path = `sessions/${sessionId}/stop/`;
    return this.ask<{ stopped: boolean }>("POST", path, { body: generation });
  }

  search(q: string, query: { limit?: number; cursor?: string } = {}) {
    return this.ask<SearchPage>("GET", "search/", { query: { q, ...query } });
  }

  // Models and presets

  models(query: { is_active?: boolean | "all"; limit?: number; cursor?: string } = {}) {
    return this.ask<ModelList>("GET", "models/", { query });
  }

  syncModels() {
    return this.ask<SyncReport>("POST", "models/sync_models/");
  }

  changeModel(id: string, changes: { is_default?: boolean; is_active?: boolean }) {
    return this.ask<Model>("PATCH", `models/${encodeURIComponent(id)}/`, { body: changes });
  }

  presets(query: { limit?: number; cursor?: string } = {}) {
    return this.ask<PresetList>("GET", "presets/", { query });
  }

  preset(id: string) {
    return this.ask<Preset>("GET", `presets/${id}/`);
  }

  createPreset(preset: NewPreset) {
    return this.ask<Preset>("POST", "presets/", { body: preset });
  }

  changePreset(id: string, changes: PresetChanges, version?: number) {
    return this.ask<Preset>("PATCH", `presets/${id}/`, { body: changes, ...ifMatch(version) });
  }

  deletePreset(id: string) {
    return this.ask<void>("DELETE", `presets/${id}/`);
  }

  startFromPreset(id: string, title?: string) {
    const body = title === undefined ? {} : { title };
    return this.ask<Session>("POST", `presets/${id}/create_session_from_preset/`, { body });
  }

  // The caller and the server

  /** Proves who one is, and keeps the token for what follows. */
  async signIn(credentials: Record<string, unknown>): Promise<SignedIn> {
    const signedIn = await this.ask<SignedIn>("POST", "sign_in/", { body: credentials });
    this.token = signedIn.token;
    return signedIn;
  }

  async signOut(): Promise<void> {
    await this.ask<void>("POST", "sign_out/");
    this.token = undefined;
  }

  me() {
    return this.ask<User>("GET", "me/");
  }

  changeMe(changes: UserChanges) {
    return this.ask<User>("PATCH", "me/", { body: changes });
  }

  stats() {
    return this.ask<Stats>("GET", "health/stats/");
  }

  /** Says how the model servers are; a sick one is an answer, not an error. */
  async health(): Promise<{ status: "healthy" | "unhealthy"; code?: string; models?: number }> {
    try {
      return await this.ask("GET", "health/llm_server/");
    } catch (error) {
      if (error instanceof ChatdError && error.options.status === 503) {
        return { status: "unhealthy", code: error.code };
      }
      throw error;
    }
  }

  /** The address of a socket: `session/<id>/` or `sessions/`. */
  socketUrl(path: string): string {
    return `${this.url.replace(/^http/, "ws")}/ws${this.prefix}/${path}`;
  }
}

function ifMatch(version: number | undefined): { headers?: Record<string, string> } {
  return version === undefined ? {} : { headers: { "If-Match": `"${version}"` } };
}

/** Returns the newest revision among messages. */
export function newest(messages: readonly Message[]): number {
  return messages.reduce((most, message) => Math.max(most, message.revision), 0);
}

async function problem(answer: Response): Promise<ChatdError> {
  const told = (await answer.json().catch(() => ({}))) as Partial<Problem> & { ai_message?: Message };
  const after = Number(answer.headers.get("Retry-After"));
  const detail = told.detail ?? `The server answered ${answer.status}.`;
  return new ChatdError(detail, told.code ?? "unknown", {
    status: answer.status,
    isRetryable: [408, 425, 429, 500, 502, 503, 504].includes(answer.status),
    retryAfter: Number.isFinite(after) && after > 0 ? after : undefined,
    fields: told.errors,
    aiMessage: told.ai_message,
  });
}
