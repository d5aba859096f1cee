"""What the state machine does to a running chatd, each act with what the model says of it."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import httpx
import msgspec
from boots import Boot, Call
from expected import Conversation, Row
from readers import Screen, SocketReader, StreamReader

import chatd
from chatd import accounts
from chatd.errors import ChatdError
from chatd.turns import Sent
from chatd.types import Message, User, new_id


class Scene:
    """Two users of one store, through many boots of chatd."""

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir

    async def open(self) -> None:
        """Start."""
        self.seen_calls = 0
        self.boot = Boot(self._data_dir)
        await self.boot.open()

    @property
    def app(self) -> Any:
        """The App that runs now."""
        return self.boot.app

    async def enter(self) -> None:
        """Begin an example: new users, nothing else."""
        self.users: dict[str, User] = {}
        self.tokens: dict[str, str] = {}
        for name in ("alice", "bob"):
            user = await accounts.ensure_user(self.app.store, f"{name} {new_id()}")
            self.users[name] = user
            self.tokens[name] = await accounts.create_token(self.app.store, user)
        self.conversations: list[Conversation] = []
        self.erased: list[tuple[str, str]] = []
        self.calls: dict[str, Call] = {}  # by generation
        self.sockets: list[SocketReader] = []
        self.streams: list[StreamReader] = []
        self.gone: list[tuple[str, Screen, bool]] = []  # who has left, and might come again

    async def leave(self) -> None:
        """End an example: nothing may be left of it in the process."""
        for reader in [*self.sockets, *self.streams]:
            await reader.close()
        self.sockets, self.streams = [], []
        for conversation in self.conversations:
            if conversation.reply:
                await self.app.turns.stop(self.users[conversation.owner], conversation.id)
                conversation.end("stopped")
            await self.check(conversation)
        await self.check_empty()

    # What users do.

    async def refusal(self, act: Coroutine[Any, Any, Any]) -> str | None:
        """Carry something out; return the code that it was refused with, if it was."""
        try:
            await act
        except ChatdError as exc:
            return exc.code
        return None

    async def create(self, owner: str, title: str) -> None:
        """Make a session."""
        fields = {"title": title, "model": "script/model"}
        session = await self.app.sessions.create(self.users[owner], fields)
        self.conversations.append(Conversation(owner, session.id, title))

    async def ask(
        self, conversation: Conversation, kind: str, target: str | None, text: str, client: str
    ) -> Sent:
        """Ask for a turn; what is refused raises a ChatdError."""
        turns, user, id = self.app.turns, self.users[conversation.owner], conversation.id
        self.seen_calls = len(self.boot.provider.calls)
        if kind == "regenerate":
            sent: Sent = await turns.regenerate(user, id, target, client or None)
        elif kind == "edit":
            sent = await turns.edit(user, id, target, text, client or None)
        else:
            sent = await turns.send(user, id, text, client or None)
        return sent

    def expected_refusal(
        self, conversation: Conversation, kind: str, target: str | None, text: str, client: str
    ) -> str | None:
        """Say what an ask must come to: a code, `duplicate`, or nothing when it begins a turn."""
        wanted = {"regenerate": "assistant", "edit": "user"}.get(kind)
        row = None
        if target is not None:
            if target not in conversation.rows:
                return "not_found"
            row = conversation.rows[target]
            if row.role != wanted:
                return "invalid_input"
        first = conversation.of_client(client) if client else None
        if first is not None:
            same = first.kind == kind and (kind == "regenerate" or first.content == text)
            if row is not None:
                same = same and row.parent_id == first.parent_id and row.seq < first.seq
            return "duplicate" if same else "conflict"
        if not conversation.is_active:
            return "session_deleted"
        if conversation.reply is not None:
            return "generation_running"
        if kind == "regenerate" and target is None and conversation.head_id is None:
            return "not_found"
        return None

    def parent(self, conversation: Conversation, kind: str, target: str | None) -> str | None:
        """Return after which message a turn continues."""
        if kind == "send":
            return conversation.head_id
        return conversation.rows[target or conversation.head_id or ""].parent_id

    async def begun(
        self, conversation: Conversation, kind: str, target: str | None, text: str, sent: Sent
    ) -> None:
        """Take note of a turn that has begun; its provider was given what is shown."""
        assert sent.run is not None
        assert not sent.is_duplicate
        parent, answer = self.parent(conversation, kind, target), sent.generation_id
        ids = [answer] if kind == "regenerate" else [sent.user_message.id, answer]
        client_id = sent.run.client_id
        conversation.begin(kind, text, parent, client_id, ids)
        await self.called(conversation)

    async def called(self, conversation: Conversation) -> None:
        """Wait for the call of the provider, and look at its prompt."""
        assert conversation.reply is not None
        call = await self.boot.provider.next_call(self.seen_calls)
        self.calls[conversation.reply.id] = call
        prompt = [(message.role, message.content) for message in call.prompt.messages]
        assert prompt == conversation.history()
        await call.idle()

    async def repeated(self, conversation: Conversation, client: str, sent: Sent) -> None:
        """Check that a repeat was answered with its first."""
        first = conversation.of_client(client)
        assert first is not None
        assert sent.is_duplicate
        assert sent.generation_id == first.generation_id
        if first.role == "user":
            assert first.is_like(sent.user_message)
        is_running = conversation.reply is not None and conversation.reply.id == sent.generation_id
        assert sent.is_running == is_running
        if not is_running:
            answer = await self.app.turns.wait(self.users[conversation.owner], sent)
            assert conversation.rows[first.generation_id or ""].is_like(answer)

    async def ended(self, conversation: Conversation, id: str) -> Message:
        """Wait for the end of a generation, wherever it has got to; return its message."""
        run = self.app.generations.get(id)
        if run is not None:
            await asyncio.wait({run.ended})
        if id in self.calls:
            assert self.calls[id].is_closed, "the provider's generator was left open"
        user = self.users[conversation.owner]
        message: Message = await self.app.store.get_message(user.id, conversation.id, id)
        return message

    def adopt(self, conversation: Conversation, message: Message) -> Row:
        """Take over an end that two of several could have made, once it is seen to be sound."""
        reply = conversation.reply
        assert reply is not None
        if message.status == "interrupted":
            texts = [reply.text(n) for n in range(len(reply.entries) + 1)]
            assert message.content in texts[reply.saved :], "text that had been stored is gone"
            kept = len(texts) - 1 - texts[::-1].index(message.content)
            code = (message.error or {}).get("code")
            same = range(kept - texts[::-1].count(message.content) + 1, kept + 1)
            assert message.parts in [reply.parts(n) for n in same]
            row = conversation.end("interrupted", error=code, kept=kept)
            row.parts = message.parts  # of entries without a text nothing tells how many are there
            return row
        assert message.status in ("complete", "stopped")
        return conversation.end(message.status)

    # What is seen.

    async def check(self, conversation: Conversation) -> None:
        """Compare a session with the model: in the store, in the room, and at its readers."""
        user, store = self.users[conversation.owner], self.app.store
        head = await self.app.sessions.head(user, conversation.id)
        session, reply = head.session, conversation.reply
        assert (session.title, session.is_active) == (conversation.title, conversation.is_active)
        assert (session.version, session.message_count) == (
            conversation.version,
            conversation.message_count,
        )
        assert session.head_id == conversation.shown_id()
        assert head.revision == conversation.revision
        assert (head.slot and head.slot.generation_id) == (reply and reply.id)
        page = await store.list_messages(user.id, conversation.id, all_branches=True, limit=200)
        rows = list(conversation.rows.values())
        assert len(page.results) == len(rows)
        for row, message in zip(rows, page.results, strict=True):
            assert row.is_like(message), (row, message)
        page = await store.list_messages(user.id, conversation.id, limit=200)
        assert [m.id for m in page.results] == [row.id for row in conversation.shown()]
        since = conversation.revision // 2
        page = await store.list_messages(user.id, conversation.id, since=since, limit=200)
        later = sorted(row.revision for row in rows if row.revision > since)
        assert [message.revision for message in page.results] == later
        self.check_room(conversation)
        await self.check_readers(conversation)

    def check_room(self, conversation: Conversation) -> None:
        """Compare the running log with the model."""
        log, reply = self.app.hub.running(conversation.id), conversation.reply
        assert (log and log.generation_id) == (reply and reply.id)
        run = self.app.generations.get(reply.id) if reply else None
        assert (run is None) == (reply is None)
        if reply:
            assert [entry.kind for entry in log.entries] == [kind for kind, _ in reply.entries]
            text = "".join(entry.text for entry in log.entries if entry.kind == "text")
            assert text == run.text() == reply.text()

    async def check_readers(self, conversation: Conversation) -> None:
        """Compare what every reader of a session holds with the model."""
        reply = conversation.reply
        seq = len(reply.entries) if reply else 0
        for reader in self.sockets:
            if reader.session_id != conversation.id:
                continue
            pong = await reader.settle()
            assert pong["revision"] == conversation.revision
            expected = {"generation_id": reply.id, "seq": seq} if reply else None
            assert pong["generation"] == expected
            self._check_screen(conversation, reader.screen)
            self._check_rows(conversation, reader.screen)
        for stream in tuple(self.streams):
            if stream.session_id == conversation.id:
                await stream.settle(seq if reply else None)
                self._check_screen(conversation, stream.screen)
                if not reply:
                    assert await stream.read() == []
                    await stream.close()
                    self.streams.remove(stream)

    def _check_screen(self, conversation: Conversation, screen: Screen) -> None:
        reply = conversation.reply
        assert screen.generation == (reply and reply.id)
        if reply:
            kinds: dict[str, list[Any]] = {"text": [], "reasoning": [], "tool_call": []}
            for kind, value in reply.entries:
                kinds[kind].append(value)
            assert screen.text == "".join(kinds["text"])
            assert screen.reasoning == "".join(kinds["reasoning"])
            assert screen.tools == [call["arguments"] for call in kinds["tool_call"]]
            assert screen.have == len(reply.entries)

    def _check_rows(self, conversation: Conversation, screen: Screen) -> None:
        assert screen.revision == conversation.revision
        assert screen.rows.keys() == conversation.rows.keys()
        for id, row in conversation.rows.items():
            assert row.is_like(msgspec.convert(screen.rows[id], Message)), (row, screen.rows[id])

    async def check_empty(self) -> None:
        """Check that the process holds rooms, tasks and runs for what is there, and no more."""
        running = [c.id for c in self.conversations if c.reply]
        generations = self.app.generations
        assert generations.running() == len(running) == len(generations._tasks)
        readers = [reader.session_id for reader in [*self.sockets, *self.streams]]
        await self._until_closed(len(readers))
        rooms = dict(self.app.hub.rooms())
        assert rooms == {id: readers.count(id) for id in {*running, *readers}}

    async def _until_closed(self, subscribers: int) -> None:
        """Wait until the server has noticed who has left: a room tells nobody."""
        async with asyncio.timeout(30):
            while sum(n for _, n in self.app.hub.rooms()) > subscribers:  # noqa: ASYNC110
                await asyncio.sleep(0.001)

    async def check_stats(self) -> None:
        """Compare the users' numbers with the model."""
        for name, user in self.users.items():
            own = [c for c in self.conversations if c.owner == name]
            rows = [row for c in own for row in c.rows.values()]
            done = [r for r in rows if _is_counted(r, rows)]
            stats = await self.app.store.get_stats(user.id)
            assert (stats.sessions, stats.active_sessions) == (
                len(own),
                sum(c.is_active for c in own),
            )
            assert stats.user_messages == sum(row.role == "user" for row in done)
            assert stats.assistant_messages == sum(row.role == "assistant" for row in done)
            tokens = sum(row.usage.total_tokens for row in done if row.usage)
            assert stats.total_tokens == tokens

    def http(self, name: str) -> httpx.AsyncClient:
        """Return a client of REST."""
        headers = {"Authorization": f"Token {self.tokens[name]}"}
        return httpx.AsyncClient(base_url=self.boot.url, headers=headers, timeout=30)


def _is_counted(row: Row, rows: list[Row]) -> bool:
    """Whether a message counts: its turn has ended."""
    answers = [other for other in rows if other.id == row.generation_id]
    return all(answer.status != "streaming" for answer in answers)


def error_of(kind: int) -> chatd.ProviderError:
    """Return one of the errors of a provider."""
    kinds = [chatd.ProviderError, chatd.ProviderInterrupted, chatd.ProviderTimeout]
    return kinds[kind % len(kinds)]("It did not work.")
