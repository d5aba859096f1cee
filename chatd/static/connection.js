// The way to chatd: REST calls with the token, sockets that come back by themselves.

const API = "/ai-chat/api/";
const HEARTBEAT = 25_000; // milliseconds between pings
const PATIENCE = 20_000; // for an answer, before a socket counts as lost
const LONGEST_WAIT = 30_000;

/** A call that chatd did not carry out; `status` is 0 when it did not answer at all. */
export class Refused extends Error {
  constructor(status, problem) {
    super(problem.detail || problem.title || `The server answered ${status}.`);
    this.status = status;
    this.answer = problem;
  }
}

export const storedToken = () => localStorage.getItem("chatd.token");

/** Return the JSON answer of a REST call (null for 204), or throw Refused. */
export async function call(method, path, body, token = storedToken()) {
  const headers = token ? { Authorization: `Token ${token}` } : {};
  if (body) headers["Content-Type"] = "application/json";
  const url = new URL(path, location.origin + API);
  const response = await fetch(url, { method, headers, body: body && JSON.stringify(body) }).catch(
    () => { throw new Refused(0, { detail: "The server does not answer." }); },
  );
  const answer = response.status === 204 ? null : await response.json().catch(() => ({}));
  if (!response.ok) throw new Refused(response.status, answer ?? {});
  return answer;
}

/** Whether the server knows who this is without a token: a proxy says so, or nobody has to. */
export const isKnown = () => call("GET", "me/", null, null).then(Boolean, () => false);

/** Return a new client_id; crypto.randomUUID exists on https and localhost only. */
export function newId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/**
 * A socket that reconnects until it is closed, or refused for good.
 *
 * `onEvent(event)` gets every event, `onState(state)` connecting, connected or waiting, and
 * `onEnd(code)` the close code (PROTOCOL 4.5: 4500 and above) that ends it.
 */
export class Connection {
  constructor(path, { onEvent, onState, onEnd }) {
    Object.assign(this, { path, onEvent, onState, onEnd, attempt: 0, connected: false });
    this.hurry = () => document.hidden || this.check();
    addEventListener("online", this.hurry);
    document.addEventListener("visibilitychange", this.hurry);
    this.open();
  }

  open() {
    const url = new URL(this.path, location.origin.replace(/^http/, "ws"));
    url.searchParams.set("token", storedToken() ?? "");
    const socket = new WebSocket(url);
    socket.onmessage = ({ data }) => this.socket === socket && this.receive(JSON.parse(data));
    socket.onclose = ({ code }) => this.socket === socket && this.ended(code);
    this.socket = socket;
    this.onState("connecting");
    this.expect();
  }

  receive(event) {
    clearTimeout(this.deadline);
    this.deadline = null;
    if (event.type === "connection_established") this.establish();
    this.onEvent(event);
  }

  establish() {
    this.connected = true;
    this.heartbeat = setInterval(() => {
      this.attempt = 0; // only a connection that lasted makes the next wait short again
      this.ping();
    }, HEARTBEAT);
    this.onState("connected");
  }

  /** Send a frame; false when there is no connection to send it on. */
  send(frame) {
    if (!this.connected || this.socket.readyState !== WebSocket.OPEN) return false;
    this.socket.send(JSON.stringify(frame));
    return true;
  }

  ping() {
    if (this.send({ type: "ping", t: Date.now() })) this.expect();
  }

  /** The network changed or the page is looked at again: do not wait, find out. */
  check() {
    if (this.connected) this.ping();
    else if (this.timer) this.reopen();
  }

  /** A dead network closes no socket: without a frame in time it is given up. */
  expect() {
    this.deadline ??= setTimeout(() => this.ended(1006), PATIENCE);
  }

  ended(code) {
    this.drop();
    if (code >= 4500) return this.finish(code);
    const longest = Math.min(LONGEST_WAIT, 500 * 2 ** this.attempt++);
    this.timer = setTimeout(() => this.reopen(), Math.random() * longest);
    this.onState("waiting");
  }

  reopen() {
    clearTimeout(this.timer);
    this.timer = null;
    this.open();
  }

  finish(code) {
    this.close();
    this.onEnd(code);
  }

  drop() {
    clearTimeout(this.deadline);
    clearInterval(this.heartbeat);
    this.deadline = null;
    this.connected = false;
    const socket = this.socket;
    this.socket = null;
    socket?.close();
  }

  close() {
    this.drop();
    clearTimeout(this.timer);
    removeEventListener("online", this.hurry);
    document.removeEventListener("visibilitychange", this.hurry);
  }
}
