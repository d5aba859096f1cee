// The page: signing in, the session that is open, writing to it.

import { call, isKnown, newId, storedToken } from "./connection.js";
import { $, element } from "./elements.js";
import { SessionList, titleFor, titleOf } from "./list.js";
import { loadModels, showModels } from "./models.js";
import { Thread } from "./thread.js";

const STATES = { connecting: "Connecting…", connected: "Connected", waiting: "Reconnecting…" };
const LONGEST_TEXT = 200_000; // what fits in a frame; the server's own limit is lower
const waiting = new Map(); // id of a session -> its message that is not acknowledged
let list = null; // the sessions of who is signed in
let thread = null; // the open session

// Signing in

async function start() {
  const ticket = new URLSearchParams(location.search).get("ticket");
  if (ticket) await redeem(ticket);
  if (storedToken() || (await isKnown())) enter();
  else askForToken();
}

/** Trade a ticket for a token; a used one does not matter to who is signed in already. */
async function redeem(ticket) {
  history.replaceState(null, "", location.pathname + location.hash);
  try {
    const { token } = await call("POST", "sign_in/", { ticket }, null);
    keepToken(token, "ticket");
  } catch (error) {
    const isUsed = error.status === 401;
    $("sign-in-error").textContent = isUsed ? "This link is used or too old." : error.message;
  }
}

function keepToken(token, origin) {
  localStorage.setItem("chatd.token", token);
  localStorage.setItem("chatd.token_origin", origin);
}

function askForToken() {
  leave();
  localStorage.removeItem("chatd.token");
  $("app").hidden = true;
  $("sign-in").hidden = false;
  $("token").focus();
}

async function submitToken(event) {
  event.preventDefault();
  const token = $("token").value.trim();
  try {
    await call("GET", "me/", null, token);
  } catch (error) {
    const isWrong = error.status === 401;
    $("sign-in-error").textContent = isWrong ? "This token is not valid." : error.message;
    return;
  }
  keepToken(token, "pasted");
  $("token").value = "";
  enter();
}

/** A token made for this page is revoked; a pasted one may be in use elsewhere. */
async function signOut() {
  const isOurs = localStorage.getItem("chatd.token_origin") === "ticket";
  if (isOurs && !(await attempt(() => call("POST", "sign_out/", {})))) return;
  askForToken();
}

function enter() {
  $("sign-in-error").textContent = "";
  $("sign-in").hidden = true;
  $("app").hidden = false;
  list = new SessionList({
    onConnected: () => attempt(loadSurroundings),
    onDelete: (id) => attempt(() => remove(id)),
    onState: showState($("list-connection")),
    onEnd: askForToken,
  });
  route();
}

function leave() {
  list?.close();
  thread?.close();
  list = thread = null;
  waiting.clear();
  view.messages.replaceChildren();
}

/** Do something that may be refused; say why if it is. */
async function attempt(action) {
  try {
    await action();
    return true;
  } catch (error) {
    trouble(error);
    return false;
  }
}

function trouble(error, unsentText = "") {
  if (unsentText) giveBack(unsentText);
  if (error.status === 401) askForToken();
  else if (error.status === 404 && thread) backToList(error.message);
  else say(error.message);
}

function say(text) {
  $("notice").textContent = text;
}

const showState = (place) => (state) => {
  const isOffline = state === "waiting" && !navigator.onLine;
  place.dataset.state = state;
  place.replaceChildren(element("span", {}, isOffline ? "Offline" : STATES[state]));
  update();
};

async function loadSurroundings() {
  $("user").textContent = (await call("GET", "me/")).name;
  await loadModels();
}

async function remove(id) {
  if (!confirm(`Delete “${titleOf(list.get(id))}”?`)) return;
  if (thread?.id === id) backToList();
  await call("DELETE", `sessions/${id}/`);
}

// The open session: the address bar says which

const view = {
  messages: $("messages"),
  scroll: $("scroll"),
  earlier: $("earlier"),
  announcement: $("announcement"),
  isAtEnd: true,
  /** Keep the end in sight, unless the reader has scrolled away from it. */
  follow() {
    if (!this.isAtEnd) return;
    requestAnimationFrame(() => { this.scroll.scrollTop = this.scroll.scrollHeight; });
  },
};

function route() {
  if (!list) return;
  const [id] = location.hash.match(/(?<=^#)[\w-]+$/) ?? [""];
  thread?.close();
  thread = null;
  say("");
  $("app").dataset.view = id ? "session" : "list";
  $("draft").hidden = id !== "" && id !== "new";
  if ($("draft").hidden) openThread(id);
  else openDraft();
  list.show(id);
  if (matchMedia("(pointer: fine)").matches) $("text").focus();
}

function backToList(reason = "") {
  history.replaceState(null, "", location.pathname);
  route();
  say(reason);
}

function openDraft() {
  view.messages.replaceChildren();
  view.earlier.hidden = true;
  showTitle("");
  showModels(null);
  update();
  $("session-connection").replaceChildren();
  delete $("session-connection").dataset.state;
  attempt(loadModels);
  checkHealth();
}

function openThread(id) {
  view.isAtEnd = true;
  thread = new Thread(id, {
    view,
    waiting,
    onSession: showSession,
    onChange: update,
    onState: showState($("session-connection")),
    onEnd: closeThread,
    onTrouble: trouble,
  });
  if (list.get(id)) showSession(list.get(id));
  update();
}

function closeThread(code) {
  if (code === 4501) askForToken();
  else if (code === 4504) backToList("This session does not exist any more.");
  else backToList(`The server closed the connection (${code}).`);
}

function showSession(session) {
  showTitle(titleOf(session));
  showModels(session.model);
}

function showTitle(title) {
  $("title").textContent = title || "New session";
  document.title = title ? `${title} · chatd` : "chatd";
}

async function changeModel() {
  if (!thread) return;
  const { id } = thread;
  const model = $("model").value;
  const isChanged = await attempt(async () => {
    list.keep(await call("PATCH", `sessions/${id}/`, { model }));
  });
  if (!isChanged && thread?.id === id) showModels(list.get(id)?.model);
}

/** The hint is for who has just started: it shows beside an empty conversation. */
async function checkHealth() {
  try {
    await call("GET", "health/llm_server/");
    $("hint").hidden = true;
  } catch (error) {
    $("hint").hidden = error.answer?.status !== "unhealthy";
  }
}

// Writing

const isBusy = () => Boolean(thread && (thread.reply || thread.unsent));

function update() {
  const isAnswering = Boolean(thread?.reply);
  $("stop").hidden = !isAnswering;
  $("send").hidden = isAnswering;
  $("send").disabled = isBusy();
  $("stop").disabled = !thread?.connection?.connected;
}

async function submitText(event) {
  event?.preventDefault();
  const text = $("text").value;
  if (!text.trim() || isBusy()) return;
  if (text.length > LONGEST_TEXT) return say("This message is too long.");
  setText("");
  say("");
  view.isAtEnd = true;
  if (thread) thread.post(text, newId());
  else if (!(await attempt(() => startSession(text)))) giveBack(text);
}

async function startSession(text) {
  const session = await call("POST", "sessions/", {
    title: titleFor(text),
    model: $("model").value || undefined,
  });
  waiting.set(session.id, { message: text, client_id: newId() });
  list.keep(session);
  location.hash = session.id;
}

function giveBack(text) {
  setText([text, $("text").value].filter(Boolean).join("\n"));
}

function setText(text) {
  $("text").value = text;
  fitText();
}

function fitText() {
  const { style } = $("text");
  style.height = "auto";
  style.height = `${$("text").scrollHeight + 2}px`; // 2 is the border
}

$("sign-in-form").addEventListener("submit", submitToken);
$("sign-out").addEventListener("click", signOut);
$("older").addEventListener("click", () => attempt(() => list.loadOlder()));
$("earlier").addEventListener("click", () => attempt(() => thread.loadEarlier()));
$("model").addEventListener("change", changeModel);
$("composer").addEventListener("submit", submitText);
$("stop").addEventListener("click", () => thread?.stop());
$("text").addEventListener("input", fitText);
$("text").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) submitText(event);
});
view.scroll.addEventListener("scroll", () => {
  const { scrollHeight, scrollTop, clientHeight } = view.scroll;
  view.isAtEnd = scrollHeight - scrollTop - clientHeight < 60;
});
addEventListener("hashchange", route);
addEventListener("storage", ({ key, newValue }) => {
  if (key === "chatd.token" && !newValue) askForToken(); // signed out in another tab
});
start();
