/** The real server with its model server, and a proxy in front of it that cuts. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { type AddressInfo, connect, createServer, type Server as NetServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll } from "vitest";
import { Chatd, type ChatSession, type ChatState, type Timing } from "../src/index.js";

const ROOT = join(dirname(fileURLToPath(import.meta.url)), "../../..");
const PYTHON = process.env.PYTHON ?? join(ROOT, ".venv/bin/python");
export const TOKEN = "a-token-of-the-tests";
export const HURRIED: Partial<Timing> = {
  retryShortest: 20,
  retryLongest: 200,
  pingEvery: 500,
  pongWithin: 5_000,
};

/** A process, and the first line that it prints. */
async function started(args: string[], env: Record<string, string> = {}): Promise<[ChildProcess, string]> {
  const child = spawn(PYTHON, args, {
    cwd: ROOT,
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let said = "";
  child.stderr?.on("data", (data: Buffer) => {
    said = (said + data.toString()).slice(-10_000);
  });
  const line = await new Promise<string>((resolve, reject) => {
    let text = "";
    child.stdout?.on("data", (data: Buffer) => {
      text += data.toString();
      if (text.includes("\n")) resolve(text.split("\n")[0] ?? "");
    });
    child.once("exit", (code) => reject(new Error(`${args.join(" ")} ended with ${code}: ${said}`)));
  });
  child.stdout?.resume();
  return [child, line];
}

function ended(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  return new Promise((resolve) => {
    child.once("exit", () => resolve());
    child.kill(signal);
  });
}

/** A chatd of its own, that can be killed and started again. */
export class Server {
  url = "";
  port = 0;
  #env: Record<string, string> = {};
  #directory = "";
  #child: ChildProcess | undefined;
  #upstream: ChildProcess | undefined;

  async begin(): Promise<void> {
    const [upstream, line] = await started(["scripts/llm_server.py", "--port", "0"]);
    this.#upstream = upstream;
    this.#directory = await mkdtemp(join(tmpdir(), "chatd-client-"));
    this.#env = {
      CHATD_TOKEN: TOKEN,
      LLM_SERVER_URL: line.split(" ").at(-1) ?? "",
      CHATD_LIMITS_SENDS_PER_MINUTE: "0",
      CHATD_LIMITS_GENERATIONS_PER_USER: "0",
      CHATD_LIMITS_SOCKETS_PER_USER: "0",
    };
    await this.start();
  }

  async end(): Promise<void> {
    await this.kill();
    if (this.#upstream) await ended(this.#upstream, "SIGTERM");
    await rm(this.#directory, { recursive: true, force: true });
  }

  async start(): Promise<void> {
    const where = ["--port", String(this.port), "--data-dir", this.#directory];
    const [child, line] = await started(["-m", "chatd", "serve", ...where], this.#env);
    this.#child = child;
    this.url = line.split("/?")[0] ?? "";
    this.port = Number(new URL(this.url).port);
  }

  async kill(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child) await ended(child, "SIGKILL");
  }

  client(url = this.url): Chatd {
    return new Chatd({ url, token: TOKEN, timing: HURRIED });
  }

  /** Makes a session; returns it opened, and its id. */
  async session(url = this.url): Promise<ChatSession> {
    const { id } = await this.client().api.createSession({ model: "qwen3:8b" });
    const session = this.client(url).session(id);
    await session.open();
    return session;
  }
}

/** Runs a server for the tests of a file. */
export function serving(): Server {
  const server = new Server();
  beforeAll(() => server.begin());
  afterAll(() => server.end());
  return server;
}

/** Forwards connections, and cuts each after so many bytes as it is told. */
export class Proxy {
  cuts = 0;
  url = "";
  readonly #sockets = new Set<Socket>();
  readonly #listener: NetServer;

  /** `lives` says how many bytes a new connection lives for; `filter` may refuse what a client asks. */
  constructor(
    port: () => number,
    lives: () => number = () => Infinity,
    filter: (head: string) => boolean = () => true,
  ) {
    this.#listener = createServer((client) => {
      const server = connect(port(), "127.0.0.1");
      let left = lives();
      let isNew = true;
      const end = () => {
        client.destroy();
        server.destroy();
      };
      for (const [from, to] of [
        [client, server],
        [server, client],
      ] as const) {
        this.#sockets.add(from);
        from.on("error", end).on("close", end);
        from.on("data", (data) => {
          if (from === client && isNew) {
            isNew = false;
            if (!filter(data.toString("latin1"))) return end();
          }
          to.write(data.subarray(0, Math.max(0, left)));
          left -= data.length;
          if (left <= 0) {
            this.cuts += 1;
            end();
          }
        });
      }
    });
  }

  async open(): Promise<this> {
    await new Promise<void>((resolve) => this.#listener.listen(0, "127.0.0.1", resolve));
    this.url = `http://127.0.0.1:${(this.#listener.address() as AddressInfo).port}`;
    return this;
  }

  close(): void {
    for (const socket of this.#sockets) socket.destroy();
    this.#listener.close();
  }
}

/** Waits until the state of a session is as wanted. */
export function until(session: ChatSession, wanted: (state: ChatState) => boolean): Promise<ChatState> {
  return new Promise((resolve) => {
    const look = () => {
      if (!wanted(session.state)) return;
      stop();
      resolve(session.state);
    };
    const stop = session.subscribe(look);
    look();
  });
}

export const isLive = ({ connection }: ChatState) => connection === "live";

/** The words of a reply; the model server ends some with a separator that is no space in JavaScript. */
export const words = (text = "") => text.split(/[\s\u0085]+/).filter(Boolean);
