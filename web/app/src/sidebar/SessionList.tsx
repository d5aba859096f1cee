/** The list of sessions: live, in groups, longer as one scrolls. */
import type { Session } from "@chatd/client";
import { useCallback, useEffect, useState } from "react";
import { useHouse, useList } from "../house";
import { t } from "../i18n";
import { complain } from "../notices";
import { address } from "../route";
import { usePages, useSight } from "../ui/pages";
import { grouped } from "./groups";
import { SessionItem } from "./SessionItem";

const PAUSE = 180; // milliseconds without a key, before titles are searched

interface ListProps {
  readonly currentId: string | undefined;
}

export function AllSessions({ currentId }: ListProps) {
  const { list } = useHouse();
  const { sessions, hasMore, running, connection } = useList();
  const more = useSight(() => void list.loadMore().catch(complain));
  if (!sessions.length) {
    return <p className="list-note">{connection === "live" && t("sidebar.empty")}</p>;
  }
  return (
    <>
      {grouped(sessions).map(({ name, sessions }) => (
        <section key={name} aria-label={name}>
          <h2 className="list-group">{name}</h2>
          <Items sessions={sessions} currentId={currentId} running={running} />
        </section>
      ))}
      {hasMore && (
        // The key: what is still in sight after a page was loaded has to come into sight again.
        <button type="button" className="list-more" key={sessions.length} ref={more} onClick={() => void list.loadMore()}>
          {t("sidebar.loadMore")}
        </button>
      )}
    </>
  );
}

interface ItemsProps extends ListProps {
  readonly sessions: readonly Session[];
  readonly running: ReadonlySet<string>;
}

function Items({ sessions, currentId, running }: ItemsProps) {
  return (
    <ul>
      {sessions.map((session) => (
        <SessionItem
          key={session.id}
          session={session}
          isCurrent={session.id === currentId}
          isRunning={running.has(session.id)}
        />
      ))}
    </ul>
  );
}

/** Sessions whose title has a text in it. */
export function FoundSessions({ query, currentId }: ListProps & { query: string }) {
  const { chatd } = useHouse();
  const { running, sessions: live } = useList();
  const settled = useSettled(query);
  const load = useCallback(
    (cursor?: string) => chatd.api.sessions({ q: settled, ...(cursor ? { cursor } : {}) }),
    // Again when a session was made or deleted: the title may be one that is looked for.
    [chatd, settled, live.length],
  );
  const pages = usePages(load);
  const more = useSight(pages.loadMore);
  // What is renamed or deleted meanwhile shows in the live list first.
  const known = new Map(live.map((session) => [session.id, session]));
  const found = pages.items.map((session) => known.get(session.id) ?? session);
  return (
    <>
      <a className="list-everywhere" href={address("search", undefined, { q: query })}>
        {t("sidebar.searchAll", { query })}
      </a>
      <Items sessions={found} currentId={currentId} running={running} />
      {!pages.isLoading && !found.length && <p className="list-note">{t("sidebar.noMatch", { query })}</p>}
      {pages.hasMore && <span ref={more} key={found.length} />}
    </>
  );
}

/** Returns a text as it was when nobody had changed it for a moment. */
export function useSettled(text: string): string {
  const [settled, setSettled] = useState(text);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(text), PAUSE);
    return () => clearTimeout(timer);
  }, [text]);
  return settled;
}
