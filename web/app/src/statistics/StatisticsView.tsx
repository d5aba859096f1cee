/** One's own numbers, as plots; each has its table behind it. */
import type { Session, Stats } from "@chatd/client";
import { useEffect, useState } from "react";
import { type House, useHouse } from "../house";
import { date, number, t } from "../i18n";
import { SimpleView } from "../ui/ViewHead";
import { type Bar, Columns, Plot, Rows } from "./Plot";
import { byWeek } from "./weeks";
import "./statistics.css";

interface Known {
  readonly stats: Stats;
  readonly sessions: readonly Session[];
  /** Whether there are more sessions than were loaded. */
  readonly isPart: boolean;
}

const PAGES = 3;
const PAGE = 200;
const WEEKS = 12;
const MOST_MODELS = 12;

export default function StatisticsView() {
  const { chatd } = useHouse();
  const [known, setKnown] = useState<Known>();
  const [trouble, setTrouble] = useState("");
  useEffect(() => {
    load(chatd.api).then(setKnown, (error: Error) => setTrouble(error.message));
  }, [chatd]);
  return (
    <SimpleView title={t("statistics.title")}>
      {!known && <p className="view-note" role="status">{trouble || t("app.loading")}</p>}
      {known && (known.stats.messages.total ? <Numbers known={known} /> : <p className="view-note">{t("statistics.empty")}</p>)}
    </SimpleView>
  );
}

async function load(api: House["chatd"]["api"]): Promise<Known> {
  const stats = api.stats();
  const sessions: Session[] = [];
  let cursor: string | undefined;
  for (let page = 0; page < PAGES; page += 1) {
    const { results, next } = await api.sessions({ is_active: "all", limit: PAGE, ...(cursor ? { cursor } : {}) });
    sessions.push(...results);
    cursor = next ? (new URLSearchParams(next.split("?")[1]).get("cursor") ?? undefined) : undefined;
    if (!cursor) break;
  }
  return { stats: await stats, sessions, isPart: cursor !== undefined };
}

function Numbers({ known: { stats, sessions, isPart } }: { known: Known }) {
  const { messages, tokens, first_message_at: since } = stats;
  const own: Bar[] = [
    { name: t("statistics.own"), value: messages.user },
    { name: t("statistics.answers"), value: messages.assistant },
  ];
  const spent: Bar[] = [
    { name: t("statistics.prompt"), value: tokens.prompt },
    { name: t("statistics.completion"), value: tokens.completion },
  ];
  const models = Object.entries(stats.models).map(([name, value]) => ({ name, value }));
  models.sort((one, other) => other.value - one.value);
  return (
    <>
      <Totals stats={stats} />
      {since && <p className="view-note">{t("statistics.since", { date: date(since, { dateStyle: "long" }) })}</p>}
      <Plot title={t("statistics.weeks")} bars={byWeek(sessions, WEEKS)} note={isPart ? t("statistics.weeksPart", { count: sessions.length }) : ""} draw={Columns} />
      <div className="plots">
        <Plot title={t("statistics.messages")} bars={own} draw={Rows} />
        <Plot title={t("statistics.tokens")} bars={spent} draw={Rows} />
      </div>
      {models.length > 0 && <Plot title={t("statistics.models")} bars={models.slice(0, MOST_MODELS)} draw={Rows} />}
    </>
  );
}

function Totals({ stats: { sessions, messages, tokens } }: { stats: Stats }) {
  const totals = [
    [t("statistics.sessions"), sessions.total, t("statistics.active", { count: sessions.active })],
    [t("statistics.messages"), messages.total, ""],
    [t("statistics.tokens"), tokens.total, ""],
  ] as const;
  return (
    <dl className="totals">
      {totals.map(([name, value, note]) => (
        <div key={name} className="total">
          <dt>{name}</dt>
          <dd title={number(value)}>{number(value, { notation: "compact", maximumFractionDigits: 1 })}</dd>
          {note && <dd className="view-note">{note}</dd>}
        </div>
      ))}
    </dl>
  );
}
