// A complete WebSocket client of chatd: it reconnects, resumes, and sends every message once.
// It sends its last arguments one after another and prints the replies as they come:
//
//     TOKEN=... node websocket_client.mjs http://localhost:8000 SESSION_ID "Hello" "And again"
//
// Node 22 and browsers have WebSocket; Node 20 wants --experimental-websocket.

const [origin, session, ...texts] = process.argv.slice(2);
if (!texts.length) { console.error("usage: node websocket_client.mjs URL SESSION_ID TEXT..."); process.exit(2); }
if (!globalThis.WebSocket) { console.error("this Node wants --experimental-websocket"); process.exit(2); }
const quiet = Number(process.env.QUIET_SECONDS ?? 30) * 1000; // then a connection is dead
const longest = Number(process.env.RETRY_SECONDS ?? 30) * 1000; // between two attempts
const outbox = texts.map((message) => ({ message, client_id: crypto.randomUUID(), printed: 0 }));
const ended = new Set(); // generations: nothing of them counts any more
let socket, revision, epoch, running, heard, failures = 0;

const tell = (type, fields) => socket.readyState === 1 && socket.send(JSON.stringify({ type, ...fields }));
const send = () => outbox.length ? tell("send_message", outbox[0]) : process.exit(0);
const resume = ({ id, have }) => tell("resume", { generation_id: id, after_seq: have });
const see = (message) => { revision = Math.max(revision, message.revision); };

function print(text) { // what of the first message's reply is new
  process.stdout.write(text.slice(outbox[0].printed));
  outbox[0].printed = Math.max(outbox[0].printed, text.length);
}

function connect() {
  const query = new URLSearchParams({ chunks: "delta" });
  if (revision !== undefined) { query.set("since", revision); query.set("epoch", epoch); }
  const url = `${origin.replace("http", "ws")}/ws/ai-chat/session/${session}/?${query}`;
  const mine = socket = new WebSocket(url, ["chatd.v1", `chatd.token.${process.env.TOKEN}`]);
  heard = Date.now();
  mine.onmessage = ({ data }) => { heard = Date.now(); if (mine === socket) take(JSON.parse(data)); };
  mine.onclose = ({ code }) => { if (mine === socket) lost(code); };
}

function lost(code) {
  if (code >= 4500 && code < 5000) { console.error(`closed for good: ${code}`); process.exit(1); }
  socket = { readyState: 3 };
  setTimeout(connect, Math.random() * Math.min(longest, 500 * 2 ** failures++)); // full jitter
}

setInterval(() => { // a pong tells where the session stands, and that the connection lives
  if (socket.readyState < 2 && Date.now() - heard > quiet) { const dead = socket; lost(); dead.close(); }
  else tell("ping");
}, quiet / 3);

function take(frame) {
  const id = frame.generation_id, head = outbox[0];
  if (frame.type === "connection_established") {
    if (revision === undefined || frame.reload) { revision = frame.revision; running = undefined; }
    epoch = frame.epoch;
    failures = 0;
    send(); // again, if it was sent before: a client_id is carried out once
  } else if (frame.type === "user_message") {
    see(frame.message);
    if (frame.message.client_id === head.client_id) head.generation_id = frame.message.generation_id;
  } else if (frame.type === "ai_typing") {
    see(frame.ai_message);
    if (running?.id !== id && !ended.has(id)) running = { id, have: 0, text: "" };
  } else if ("prev" in frame && !ended.has(id)) { // an entry of the generation's log
    running = running?.id === id ? running : { id, have: 0, text: "" };
    if (frame.seq <= running.have) return; // known
    if (frame.prev !== running.have && frame.prev !== 0) return resume(running); // some are missing
    if (frame.prev !== running.have) running.text = ""; // all of it again
    running.have = frame.seq;
    if (frame.type === "ai_message_chunk") running.text += frame.content;
    if (id === head.generation_id) print(running.text);
  } else if (frame.type === "ai_message_complete" || (frame.type === "error" && id)) {
    const message = frame.ai_message ?? frame.message;
    see(message);
    ended.add(id);
    running = running?.id === id ? undefined : running;
    if (id !== head.generation_id) return;
    print(message.content + "\n");
    if (frame.type === "error") { console.error(frame.message); process.exitCode = 1; }
    outbox.shift();
    send();
  } else if (frame.type === "error" && frame.client_id === head.client_id) { // refused
    if (!frame.retryable) { console.error(frame.message); process.exit(1); }
    setTimeout(send, 1000 * (frame.retry_after ?? 1));
  } else if (frame.type === "pong") {
    if (running && (frame.generation?.generation_id !== running.id || frame.generation.seq > running.have)) resume(running);
  }
}

connect();
