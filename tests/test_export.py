"""`chatd export` and `chatd import`: out of one store and into another, and again."""

from __future__ import annotations

import asyncio
import functools
import gzip
import re
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from commands import Commands
from harness import Script, chatting
from test_cli import Shell

from benchmarks.transfer import fill
from chatd import accounts
from chatd.store import Store
from chatd.stores import open_store
from chatd.transfer.jsonlines import export_lines
from chatd.types import Message, Session, Slot, Usage, User, new_id, now

FILES = Path(__file__).parent / "imports"


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Store]:
    """Open a store."""
    store = open_store(url)
    await store.open()
    try:
        yield store
    finally:
        await store.aclose()


@pytest.fixture
def shell(tmp_path: Path) -> Commands:
    """Commands over an empty directory."""
    return Commands(tmp_path)


async def say(
    store: Store, user: User, session: Session, text: str, *, edit: Message | None = None
) -> list[Message]:
    """Store a turn as `turns` does: behind the head, or beside a message."""
    slot = Slot(generation_id=new_id(), user_message_id=new_id(), assistant_message_id=new_id())
    slot = slot.replace(assistant_message_id=slot.generation_id, client_id=text)
    fork = {} if edit is None else {"fork_after": edit.seq - 1}
    head = await store.take_slot(user.id, session.id, slot, lease=15, **fork)
    parent_id = edit.parent_id if edit else head.session.head_id
    shared = {"session_id": session.id, "generation_id": slot.generation_id}
    question = Message(
        id=slot.user_message_id,
        parent_id=parent_id,
        role="user",
        content=text,
        client_id=text,
        created_at=now(),
        updated_at=now(),
        **shared,
    )
    answer = question.replace(
        id=slot.assistant_message_id,
        parent_id=question.id,
        role="assistant",
        content="",
        client_id=None,
        status="streaming",
        model="llm/qwen3:8b",
    )
    stored = await store.add_messages(slot.generation_id, [question, answer])
    usage = Usage(prompt_tokens=3, completion_tokens=4, total_tokens=7)
    ended = await store.end_message(
        stored[1].replace(status="complete", content=f"re {text}", usage=usage)
    )
    assert ended is not None
    await store.free_slot(session.id, slot.generation_id, [stored[0], ended])
    return [stored[0], ended]


async def tell(store: Store, name: str) -> User:
    """Make a user with a session of three branches, a deleted one, and an empty one."""
    user = await accounts.add_user(store, name)
    times = {"created_at": now(), "updated_at": now()}
    session = Session(id=new_id(), title=f"{name} 😀", metadata={"a.b": 1.5}, **times)
    await store.add_session(user.id, session)
    first, _ = await say(store, user, session, "one")
    second, _ = await say(store, user, session, "two")
    await say(store, user, session, "two again", edit=second)
    await say(store, user, session, "three")
    await say(store, user, session, "another one", edit=first)
    gone = Session(id=new_id(), title="gone", **times)
    await store.add_session(user.id, gone)
    await store.update_session(user.id, gone.id, {"is_active": False})
    return user


async def lines_of(store: Store) -> list[bytes]:
    """Return an export of a store, less its first line and less when users were made."""
    users = [account.user for account in await store.list_accounts()]
    lines = export_lines(store, users, "test", lambda *_: None)
    found = b"".join([line async for line in lines]).splitlines()[1:]
    return [line for line in found if not line.startswith(b'{"user"')]


@pytest.mark.parametrize("kind", ["sqlite", "mongo"])
async def test_out_and_in_again(
    shell: Commands, tmp_path: Path, kind: str, request: pytest.FixtureRequest
) -> None:
    """What was exported is what is there after an import; a second import adds nothing."""
    target = f"sqlite:///{tmp_path}/new/chatd.db"
    if kind == "mongo":
        target = request.getfixturevalue("mongo_url")
    async with opened(f"sqlite:///{shell.data}/chatd.db") as store:
        users = [await tell(store, name) for name in ("alice", "bob")]
        before = await lines_of(store)
        stats = [await store.get_stats(user.id) for user in users]
    file = str(tmp_path / "all.jsonl.gz")
    wrote = shell.run("export", file).stderr

    output = shell.says("import", file, CHATD_STORE=target)
    again = shell.says("import", file, CHATD_STORE=target)

    assert wrote.splitlines() == [
        "exporting messages: 20 of 20",
        f"Wrote {file}: users 2, sessions 4, messages 20.",
    ]
    assert "added          4, with 20 messages" in output
    assert "already there  0" in output
    assert "added          0, with 0 messages" in again
    assert "already there  4" in again
    start = gzip.decompress(Path(file).read_bytes())
    assert start.startswith(b'{"format":"chatd","version":1,')
    async with opened(target) as store:
        assert await lines_of(store) == before
        for user, expected in zip(users, stats, strict=True):
            account = await store.get_account(name=user.name)
            assert account is not None
            assert await store.get_stats(account.user.id) == expected
            session, *_ = (await store.list_sessions(account.user.id)).results
            page = await store.list_messages(account.user.id, session.id)
            assert [m.content for m in page.results] == ["another one", "re another one"]
            assert (await store.find_turn(account.user.id, session.id, "three")) is not None
            question, answer = await say(store, account.user, session, "and on")
            assert (question.parent_id, answer.seq) == (session.head_id, 12)


async def test_one_user_and_another(shell: Commands, tmp_path: Path) -> None:
    """An export of one user may become another's, beside the first one's own, and only once."""
    async with opened(f"sqlite:///{shell.data}/chatd.db") as store:
        for name in ("alice", "bob"):
            await tell(store, name)
    file = str(tmp_path / "alice.jsonl")
    shell.says("export", file, "--user", "alice")
    assert "bob" not in Path(file).read_text()

    alices = shell.says("import", file, "--user", "alice")
    bobs = shell.says("import", file, "--user", "bob")
    again = shell.says("import", file, "--user", "bob")

    assert "already there  2" in alices
    assert "added          2, with 10 messages" in bobs
    assert "already there  2" in again
    async with opened(f"sqlite:///{shell.data}/chatd.db") as store:
        account = await store.get_account(name="bob")
        assert account is not None
        listed = (await store.list_sessions(account.user.id, is_active=None)).results
        assert sorted(session.title for session in listed) == [
            *("alice 😀", "bob 😀", "gone", "gone")
        ]


def test_two_thousand_messages_through_a_pipe(shell: Commands, tmp_path: Path) -> None:
    """A hundred sessions go from one process to another, and are there once."""
    new = str(tmp_path / "new")
    asyncio.run(fill(f"sqlite:///{shell.data}/chatd.db", 2000))
    exported = shell.raw("export", "-")
    assert exported.count(b"\n") == 2000 + 100 + 3

    output = shell.raw("import", "-", "--data-dir", new, input=exported).decode()
    again = shell.raw("import", "-", "--data-dir", new, input=exported).decode()

    assert "added          100, with 2,000 messages" in output
    assert "added          0, with 0 messages" in again
    assert exported.splitlines()[1:] == [
        line if not line.startswith(b'{"user"') else exported.splitlines()[1]
        for line in shell.raw("export", "-", "--data-dir", new).splitlines()[1:]
    ]


@pytest.mark.parametrize("kind", ["sqlite", "mongo"])
def test_twice_at_once(
    shell: Commands, tmp_path: Path, kind: str, request: pytest.FixtureRequest
) -> None:
    """Two imports of a file at once add each session once, whole, and neither of them fails."""
    target = f"sqlite:///{tmp_path}/new/chatd.db"
    if kind == "mongo":
        target = request.getfixturevalue("mongo_url")
    asyncio.run(fill(f"sqlite:///{shell.data}/chatd.db", 2000))
    file = tmp_path / "all.jsonl"
    shell.says("export", str(file))
    shell.says("users", "add", "alice", CHATD_STORE=target)
    process = Shell(tmp_path)

    with ThreadPoolExecutor(2) as threads:
        command = functools.partial(process.run, "import", str(file), CHATD_STORE=target)
        results = [one.result() for one in [threads.submit(command) for _ in range(2)]]

    assert [result.returncode for result in results] == [0, 0], results
    numbers = [re.findall(r"(?:added|there|failed) +(\d+)", result.stdout) for result in results]
    assert sum(int(added) for added, _, _ in numbers) == 100
    assert all(int(added) + int(there) == 100 for added, there, _ in numbers)
    exported = shell.raw("export", "-", CHATD_STORE=target)
    assert exported.splitlines()[2:] == file.read_bytes().splitlines()[2:]


def test_files_of_other_programs(shell: Commands) -> None:
    """What ChatGPT, Claude and Open WebUI export is imported once, for the user who is named."""
    shell.says("users", "add", "alice")
    for name, sessions, messages in (("chatgpt", 1, 5), ("claude", 2, 6), ("open_webui", 1, 3)):
        file = str(FILES / f"{name}.json")
        output = shell.says("import", file, "--user", "alice")
        assert f"added          {sessions}, with {messages} messages" in output
        assert "added          0" in shell.says("import", file, "--user", "alice")


async def test_an_import_beside_a_server(tmp_path: Path) -> None:
    """The server that runs shows what is imported at once."""
    shell = Commands(tmp_path)
    with Shell(tmp_path).serving() as url:
        token = shell.says("tokens", "create", "alice")
        shell.says("import", str(FILES / "chatgpt.json"), "--user", "alice")

        async with httpx.AsyncClient(headers={"Authorization": f"Token {token}"}) as http:
            sessions = (await http.get(f"{url}ai-chat/api/sessions/")).json()
            (session,) = sessions["results"]
            answer = await http.get(f"{url}ai-chat/api/sessions/{session['id']}/messages/")
            messages = answer.json()["results"]
        exported = shell.raw("export", "-")
    async with opened(f"sqlite:///{shell.data}/chatd.db") as store:
        account = await store.get_account(name="alice")
        assert account is not None
        (hit,) = (await store.search(account.user.id, "dog")).results
    assert session["title"] == "Export test"
    assert hit.message.content == "A dog."
    assert session["message_count"] == 5
    assert [message["content"] for message in messages][1] == "A cat."
    assert session["id"].encode() in exported


async def test_branches_of_real_turns(tmp_path: Path) -> None:
    """What users see after edits, regenerations and a selection is seen after an import."""
    async with chatting(tmp_path, Script(*[[str(n)] for n in range(5)])) as chat:
        alice = await chat.client("alice")
        session = await alice.new_session()
        path = f"/sessions/{session}"
        first = await alice.send(session, "one")
        await alice.send(session, "two")
        await alice.call("POST", f"{path}/regenerate/", json={})
        edit = f"{path}/messages/{first['user_message']['id']}/"
        await alice.call("PATCH", edit, json={"content": "one again"})
        await alice.call("POST", f"{path}/messages/{first['ai_message']['id']}/select/")
        shown = await alice.messages(session)
        everything = await alice.messages(session, branch="all")
    shell = Commands(tmp_path)
    file = str(tmp_path / "all.jsonl")
    shell.says("export", file)
    shell.says("import", file, "--data-dir", str(tmp_path / "new" / "data"))

    async with chatting(tmp_path / "new", Script(["more"])) as chat:
        alice = await chat.client("alice")
        assert await alice.messages(session) == shown
        assert await alice.messages(session, branch="all") == everything
        more = await alice.send(session, "more")
    assert [message["content"] for message in shown] == ["one", "0", "two", "2"]
    assert more["user_message"]["parent_id"] == shown[-1]["id"]


async def test_an_erased_session_is_not_exported(tmp_path: Path) -> None:
    """A session that is erased while an export runs is in it whole or not at all."""
    async with opened(f"sqlite:///{tmp_path}/chatd.db") as store:
        user = await tell(store, "alice")
        last = Session(id=new_id(), created_at=now(), updated_at=now())
        await store.add_session(user.id, last)
        await say(store, user, last, "to be erased")
        lines = export_lines(store, [user], "test", lambda *_: None)
        found = [await anext(lines) for _ in range(3)]  # all sessions have been read
        await store.purge_session(user.id, last.id)
        found += [line async for line in lines]
    text = b"".join(found)
    assert last.id.encode() not in text
    assert text.count(b'{"session":') == 2
    assert text.endswith(b'{"end":{"users":1,"sessions":2,"messages":10}}\n')


def test_broken_lines(shell: Commands, tmp_path: Path) -> None:
    """A broken line costs its session, which is named; the exit code is 1; the rest is there."""
    new = str(tmp_path / "new")
    asyncio.run(fill(f"sqlite:///{shell.data}/chatd.db", 80))
    lines = shell.raw("export", "-").splitlines(keepends=True)
    starts = [n for n, line in enumerate(lines) if line.startswith(b'{"session"')]
    lines[starts[1]] = lines[starts[1]][:50] + b"\n"
    lines[starts[2] + 3] = b"garbage\n"
    broken = tmp_path / "broken.jsonl"
    broken.write_bytes(b"".join(lines))

    result = shell.run("import", str(broken), "--data-dir", new)

    assert result.exit_code == 1
    assert f"line {starts[1] + 1}: it is not valid JSON" in result.stderr
    assert f"line {starts[2] + 4}: it is not valid JSON" in result.stderr
    assert "added          2, with 40 messages" in result.stdout
    assert "failed         2" in result.stdout
    sentence = "2 records could not be imported, as said above: mend the file and import it again."
    assert result.stderr.endswith(f"Error: {sentence}\n")


def test_an_export_that_was_cut_off(shell: Commands, tmp_path: Path) -> None:
    """Without its end the last session may be incomplete: it is left out, and the exit code 1."""
    new = str(tmp_path / "new")
    asyncio.run(fill(f"sqlite:///{shell.data}/chatd.db", 40))
    exported = shell.raw("export", "-")
    cut = tmp_path / "cut.jsonl"
    cut.write_bytes(b"".join(exported.splitlines(keepends=True)[:-3]))

    result = shell.run("import", str(cut), "--data-dir", new)

    assert result.exit_code == 1
    assert "line 24: the file ends here, before its own end" in result.stderr
    assert "added          1, with 20 messages" in result.stdout
    whole = tmp_path / "whole.jsonl"
    whole.write_bytes(exported)
    assert "added          1" in shell.says("import", str(whole), "--data-dir", new)


def test_refusals(shell: Commands, tmp_path: Path) -> None:
    """What cannot be done is one sentence that says what to do instead."""
    shell.says("users", "add", "alice")
    file = tmp_path / "all.jsonl"
    shell.says("export", str(file))
    assert "is there already: an export replaces nothing" in shell.fails("export", str(file))
    assert "There is no user bob" in shell.fails("export", str(tmp_path / "b"), "--user", "bob")
    assert not (tmp_path / "b").exists()
    assert file.stat().st_mode & 0o777 == 0o600
    assert "There is no user bob" in shell.fails("import", str(file), "--user", "bob")
    assert "No such file" in shell.fails("import", "nothing.json", "--user", "alice")
    result = shell.run("import", str(FILES / "claude.json"))
    assert result.exit_code == 2
    assert "This file does not say whose it is: add --user NAME." in result.stderr
