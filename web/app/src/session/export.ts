/** A whole session as a file: what is shown as Markdown, or every branch as JSON. */
import type { Api, Message, Session } from "@chatd/client";
import { date, t } from "../i18n";
import { complain, say } from "../notices";
import { titleOf } from "./deeds";

type Form = "markdown" | "json";

const PAGE = 200;

/** Loads every message, page by page, and gives the file to the browser. */
export async function download(api: Api, { id }: Session, form: Form): Promise<void> {
  say({ text: t("session.exporting") });
  try {
    const session = await api.session(id);
    const text = form === "json" ? asJson(session, await allBranches(api, id)) : asMarkdown(session, await shown(api, id));
    const kind = form === "json" ? "application/json" : "text/markdown";
    give(`${fileName(session)}.${form === "json" ? "json" : "md"}`, new Blob([text], { type: `${kind};charset=utf-8` }));
  } catch (error) {
    complain(error);
  }
}

async function allBranches(api: Api, id: string): Promise<Message[]> {
  const all: Message[] = [];
  for (;;) {
    const { results } = await api.messages(id, { branch: "all", after: all.at(-1)?.seq ?? 0, limit: PAGE });
    all.push(...results);
    if (results.length < PAGE) return all.filter(({ status }) => status !== "streaming");
  }
}

/** Returns the messages of the shown branch: the newest come first, and lead back. */
async function shown(api: Api, id: string): Promise<Message[]> {
  let all: Message[] = [];
  for (;;) {
    const before = all[0] ? { before: all[0].seq } : {};
    const { results, previous } = await api.messages(id, { ...before, limit: PAGE });
    all = [...results, ...all];
    if (!previous || !results.length) return all;
  }
}

function asJson(session: Session, messages: readonly Message[]): string {
  return `${JSON.stringify({ session, messages }, null, 2)}\n`;
}

/** Returns a session as Markdown: a heading for each message, its text as it was written. */
export function asMarkdown(session: Session, messages: readonly Message[]): string {
  const made = date(session.created_at, { dateStyle: "long", timeStyle: "short" });
  const head = [`# ${titleOf(session)}`, `*${made}*`];
  const system = session.system_prompt ? [`> ${session.system_prompt.replaceAll("\n", "\n> ")}`] : [];
  const texts = messages.flatMap((message) => [`## ${author(message)}`, message.content]);
  return `${[...head, ...system, ...texts].join("\n\n")}\n`;
}

function author({ role, model }: Message): string {
  if (role === "user") return t("export.you");
  return model ?? role;
}

function fileName(session: Session): string {
  const name = titleOf(session).replace(/[^\p{L}\p{N}]+/gu, "-").replace(/^-+|-+$/g, "");
  return name.slice(0, 80) || session.id;
}

function give(name: string, blob: Blob): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
