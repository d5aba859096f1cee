"""How MongoDB carries out the commands of the store: no call reads a collection from end to end."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from everything import use_everything
from pymongo import MongoClient, monitoring
from stored import ALICE, BOB, a_session, a_turn, add

from chatd.stores.mongo.store import MongoStore

Command = dict[str, Any]
NOT_EXPLAINED = {"insert", "getMore", "createIndexes", "dropDatabase"}
# What belongs to the sending of a command and not to what it asks.
SENDING = {"lsid", "txnNumber", "writeConcern", "readConcern", "maxTimeMS"}


class Listener(monitoring.CommandListener):
    """What the clients made after it ask of one database."""

    def __init__(self, database: str) -> None:
        self._database = database
        self.commands: list[Command] = []

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        """Keep a command."""
        if event.database_name == self._database and event.command_name not in NOT_EXPLAINED:
            self.commands.append(dict(event.command))

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        """Do nothing."""

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        """Do nothing."""


def listen(url: str) -> Listener:
    """Return the commands of the clients made from now on for the database of a URL."""
    listener = Listener(url.partition("?")[0].rpartition("/")[2])
    monitoring.register(listener)
    return listener


def single(commands: list[Command]) -> Iterator[Command]:
    """Yield commands as `explain` takes them: one update or delete at a time."""
    for command in commands:
        asked = {k: v for k, v in command.items() if k not in SENDING and k[0] != "$"}
        for name in ("updates", "deletes"):
            if name in asked:
                yield from ({**asked, name: [one]} for one in asked[name])
                break
        else:
            yield asked | ({"cursor": {}} if "aggregate" in asked else {})


def stages(plan: Any) -> Iterator[dict[str, Any]]:
    """Yield the stages of a plan that was chosen, and no others."""
    if isinstance(plan, dict):
        if "stage" in plan:
            yield plan
        for key, value in plan.items():
            if key not in ("rejectedPlans", "command", "parsedQuery"):
                yield from stages(value)
    elif isinstance(plan, list):
        for value in plan:
            yield from stages(value)


def explain(url: str, commands: list[Command]) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Yield each different command, as text, with the stages of its plan."""
    database = url.partition("?")[0].rpartition("/")[2]
    seen = set()
    with MongoClient(url) as client:
        for command in single(list(commands)):  # what follows is heard too
            text = json.dumps(command, default=str)
            if text not in seen:
                seen.add(text)
                plan = client[database].command("explain", command, verbosity="queryPlanner")
                yield text, list(stages(plan))


def wrong(stage: dict[str, Any]) -> bool:
    """Whether a stage reads a whole collection, sorts, or joins without an index."""
    is_join = stage["stage"] == "EQ_LOOKUP"
    return stage["stage"] in ("COLLSCAN", "SORT") or (
        is_join and stage["strategy"] != "IndexedLoopJoin"
    )


async def test_no_command_scans_a_collection(mongo_url: str) -> None:
    """Every command that the store sends finds its documents by an index and sorts nothing."""
    listener = listen(mongo_url)
    store = MongoStore(mongo_url)
    await store.open()
    await use_everything(store)
    for _ in range(20):
        session = a_session()
        await store.add_session(BOB.id, session)
    session = await add(store)
    await a_turn(store, session)
    await store.purge_session(ALICE.id, session.id)
    await store.aclose()

    checked = list(explain(mongo_url, listener.commands))
    assert len(checked) > 60
    assert all(plan for _, plan in checked)
    assert [text for text, plan in checked if any(map(wrong, plan)) and not is_meta(text)] == []


def is_meta(text: str) -> bool:
    """Whether a command is the look for anything at all in a collection, before it is ours."""
    return text.startswith('{"find": ') and '"filter": {}' in text and '"limit": 1' in text


async def test_a_page_of_a_branch_is_one_range(mongo_url: str) -> None:
    """The shown branch is read by the index that has it in order, newest first or oldest."""
    listener = listen(mongo_url)
    store = MongoStore(mongo_url)
    await store.open()
    session = await add(store)
    await a_turn(store, session)
    listener.commands.clear()
    await store.list_messages(ALICE.id, session.id)
    await store.list_messages(ALICE.id, session.id, after=0)
    await store.aclose()

    pages = [command for command in listener.commands if command.get("find") == "messages"]
    assert len(pages) == 2
    for _, plan in explain(mongo_url, pages):
        [scan] = [stage for stage in plan if stage["stage"] == "IXSCAN"]
        assert scan["indexName"] == "by_branch"
        assert scan["indexBounds"]["session_id"] == [f'["{session.id}", "{session.id}"]']
        assert scan["indexBounds"]["branch"] == ["[0, 0]"]


async def test_a_page_over_two_branches_is_one_query(mongo_url: str) -> None:
    """The end of a branch and of the one it leaves are merged in order, by the index, up to a page.

    A third branch is read when these two were not enough.
    """
    listener = listen(mongo_url)
    store = MongoStore(mongo_url)
    await store.open()
    session, after = await add(store), None
    for _ in range(3):
        for _ in range(4):
            messages = await a_turn(store, session, fork_after=after)
            after = None
        after = messages[-1].seq - 2
    shown = (await store.list_messages(ALICE.id, session.id, since=0)).results
    listener.commands.clear()
    short = await store.list_messages(ALICE.id, session.id, limit=12)
    [query] = [command for command in listener.commands if command.get("find") == "messages"]
    whole = await store.list_messages(ALICE.id, session.id)
    await store.aclose()

    seqs = [*range(1, 7), *range(9, 15), *range(17, 25)]
    assert [message.seq for message in whole.results] == seqs
    assert short.results == whole.results[-12:]
    assert len(shown) == 24
    [(_, plan)] = explain(mongo_url, [query])
    assert [stage["stage"] for stage in plan].count("IXSCAN") == 2
    assert "SORT_MERGE" in [stage["stage"] for stage in plan]
    assert {stage.get("indexName", "by_branch") for stage in plan} == {"by_branch"}
    with MongoClient(mongo_url) as client:
        asked = next(single([query]))
        database = client[mongo_url.partition("?")[0].rpartition("/")[2]]
        told = database.command("explain", asked, verbosity="executionStats")
    assert told["executionStats"]["totalDocsExamined"] <= 14
