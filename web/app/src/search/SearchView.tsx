/** Full-text search in all of one's messages. */
import type { SearchResult } from "@chatd/client";
import { useCallback, useEffect, useRef, useState } from "react";
import { useHouse } from "../house";
import { ago, t } from "../i18n";
import { address, go, type Route } from "../route";
import { titleOf } from "../session/deeds";
import { useSettled } from "../sidebar/SessionList";
import { usePages, useSight } from "../ui/pages";
import { SimpleView } from "../ui/ViewHead";
import { marked } from "./marked";
import "./search.css";

export default function SearchView({ route }: { route: Route }) {
  const asked = route.query.get("q") ?? "";
  const [query, setQuery] = useState(asked);
  const input = useRef<HTMLInputElement>(null);
  const settled = useSettled(query.trim());
  const put = useRef(asked);
  useEffect(() => input.current?.focus(), []);
  useEffect(() => {
    // What came from the field is there already, and perhaps more by now.
    if (asked !== put.current) setQuery(asked);
    put.current = asked;
  }, [asked]);
  useEffect(() => {
    if (settled === asked.trim()) return;
    // Who has just gone elsewhere, as by the palette, is not taken back.
    if (!location.hash.startsWith(address("search"))) return;
    // So that the way back from a message leads to what was found.
    put.current = settled;
    go(address("search", undefined, settled ? { q: settled } : {}), { replace: true });
  }, [settled]);
  return (
    <SimpleView title={t("search.title")}>
      <input ref={input} type="search" className="input" placeholder={t("search.hint")} aria-label={t("search.title")} value={query} onChange={(event) => setQuery(event.target.value)} />
      {settled ? <Results key={settled} query={settled} /> : <p className="view-note">{t("search.about")}</p>}
    </SimpleView>
  );
}

function Results({ query }: { query: string }) {
  const { chatd } = useHouse();
  const load = useCallback((cursor?: string) => chatd.api.search(query, cursor ? { cursor } : {}), [chatd, query]);
  const pages = usePages(load);
  const more = useSight(pages.loadMore);
  const note = pages.error ? (pages.error as Error).message : pages.isLoading ? t("app.loading") : t("search.none", { query });
  return (
    <>
      <p className="view-note" role="status">
        {pages.items.length === 0 && note}
      </p>
      <ul className="cards">
        {pages.items.map((result) => (
          <Result key={result.message.id} result={result} />
        ))}
      </ul>
      {pages.hasMore && <span ref={more} key={pages.items.length} />}
    </>
  );
}

function Result({ result: { message, session, snippet, highlights } }: { result: SearchResult }) {
  return (
    <li>
      <a className="card found" href={address("session", session.id, { message: message.id })}>
        <span className="card-head">
          <strong className="cut" dir="auto">{titleOf(session)}</strong>
          <small className="view-note">{ago(message.created_at)}</small>
        </span>
        <span className="found-text" dir="auto">
          <span className="found-author">{message.role === "user" ? t("export.you") : (message.model ?? message.role)}: </span>
          {marked(snippet, highlights).map(({ text, isHit }, place) => (isHit ? <mark key={place}>{text}</mark> : text))}
        </span>
      </a>
    </li>
  );
}
