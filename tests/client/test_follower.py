"""The client's rule over random schedules of what a server sends and a network loses."""

from __future__ import annotations

import json
from random import Random
from typing import Any

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chatd.announcements import end_event, replay_event, typing_event, user_message_event
from chatd.client import Ended, Follower, Text
from chatd.client.events import Reasoning, Started
from chatd.events import Batch, Entry
from chatd.hub import Hub
from chatd.subscriber import Subscriber
from chatd.types import Message, now

SESSION = "session"
Frame = dict[str, Any]


class Server:
    """One session as the server's own hub has it, and the rows that a store would have."""

    def __init__(self) -> None:
        self.hub = Hub()
        self.revision = 0
        self.rows: dict[str, Message] = {}
        self.texts: dict[str, str] = {}
        self.full: dict[str, str] = {}
        self.reasonings: dict[str, str] = {}
        self.running: Message | None = None
        self._seq = 0

    def start(self) -> None:
        """Begin a turn, if none runs."""
        if self.running is not None:
            return
        number = len(self.texts)
        asked = self._row(f"u{number}", "user", "complete", f"question {number}", number)
        self.running = self._row(f"g{number}", "assistant", "streaming", "", number)
        self.texts[self.running.id] = self.reasonings[self.running.id] = ""
        self._seq = 0
        self.hub.publish(SESSION, user_message_event(asked), typing_event(self.running))

    def _row(self, id: str, role: Any, status: Any, content: str, number: int) -> Message:
        self.revision += 1
        row = Message(
            id=id,
            session_id=SESSION,
            revision=self.revision,
            role=role,
            status=status,
            content=content,
            generation_id=f"g{number}",
            created_at=now(),
            updated_at=now(),
        )
        self.rows[id] = row
        return row

    def grow(self, kinds: list[Any]) -> None:
        """Append entries to the running generation's log."""
        if self.running is None:
            return
        id, entries = self.running.id, []
        for kind in kinds:
            text = f"<{id}:{self._seq + len(entries) + 1}>"
            entries.append(Entry(kind, text))
            (self.texts if kind == "text" else self.reasonings)[id] += text
        self.hub.publish(SESSION, Batch(id, self._seq, entries))
        self._seq += len(entries)

    def end(self, status: Any) -> None:
        """End the turn, complete or not, with all of its text or less."""
        if self.running is None:
            return
        id, number = self.running.id, len(self.texts) - 1
        text = self.texts[id] if status != "interrupted" else self.texts[id][:7]
        row = self._row(id, "assistant", status, text, number)
        self.full[id], self.texts[id], self.running = self.texts[id], text, None
        self.hub.publish(SESSION, end_event(row))

    def pong(self) -> Frame:
        """Return where the session stands."""
        log = self.hub.running(SESSION)
        head = log and {"generation_id": log.generation_id, "seq": len(log.entries)}
        return {"type": "pong", "t": None, "revision": self.revision, "generation": head}


class Connection:
    """A socket of the server: its subscriber, and the frames on their way to the client."""

    def __init__(self, server: Server, query: dict[str, str]) -> None:
        self.server = server
        self.subscriber = Subscriber(lambda: None, full=False)
        generation_id = server.hub.join(SESSION, self.subscriber)
        since = int(query["since"]) if "since" in query else None
        missed = [
            row
            for row in sorted(server.rows.values(), key=lambda row: row.revision)
            if since is not None and row.revision > since
        ]
        log = server.hub.running(SESSION)
        greeting = {
            "type": "connection_established",
            "revision": server.revision,
            "epoch": "e",
            "generation": log and {"generation_id": generation_id, "seq": len(log.entries)},
        }
        replay = [event for row in missed if (event := replay_event(row))]
        self.frames: list[Frame] = [greeting, *map(_frame, replay)]
        ended = [r.id for r in missed if r.role == "assistant" and r.status != "streaming"]
        self.subscriber.settle(server.revision, ended)

    def pump(self) -> None:
        """Put what the writer would send behind the rest."""
        while True:
            frames, _ = self.subscriber.take(0.0)
            if not frames:
                return
            self.frames += [json.loads(frame.data) for frame in frames]

    def answer(self, frame: Frame) -> None:
        """Carry out a `resume` as the socket does."""
        id = frame["generation_id"]
        if not self.subscriber.rewind(id, frame["after_seq"]):
            log, row = self.server.hub.running(SESSION), self.server.rows.get(id)
            if (log is None or log.generation_id != id) and row and row.status != "streaming":
                self.frames.append(_frame(end_event(row)))

    def close(self) -> None:
        """Leave."""
        self.server.hub.leave(SESSION, self.subscriber)


def _frame(event: Any) -> Frame:
    frame: Frame = msgspec.to_builtins({"type": event.type, **event.payload})
    return frame


class Client:
    """A follower at the end of a bad network, and what its events add up to."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.follower = Follower()
        self.connection = Connection(server, self.follower.query())
        self.texts: dict[str, str] = {}
        self.told: dict[str, str] = {}
        self.ends: dict[str, str] = {}
        self._is_behind = False
        self.deliver(1, ["arrives"])  # the greeting: what was before is no business of a client

    def connect(self) -> None:
        """Lose everything that is on its way, and connect again."""
        self.connection.close()
        self.connection = Connection(self.server, self.follower.query())
        self._is_behind = False

    def receive(self, frame: Frame) -> None:
        """Feed a frame, send what it leads to, and add up the events."""
        step = self.follower.feed(frame)
        for answer in step.answers:
            self.connection.answer(answer)
        for event in step.events:
            if isinstance(event, Started) and not event.is_repeated:
                self.told.setdefault(event.generation_id, "")
            elif isinstance(event, Text):
                self.texts[event.generation_id] = (
                    self.texts.get(event.generation_id, "") + event.content
                )
            elif isinstance(event, Reasoning):
                self.told[event.generation_id] = (
                    self.told.get(event.generation_id, "") + event.content
                )
            elif isinstance(event, Ended) and not event.is_repeated:
                assert event.generation_id not in self.ends, "an end was told twice"
                self.ends[event.generation_id] = event.message.content
        self._is_behind = step.is_behind

    def deliver(self, count: int, fate: list[str]) -> None:
        """Deliver some frames of this connection, each of the log as its fate is."""
        self.connection.pump()
        frames, self.connection.frames = (
            self.connection.frames[:count],
            self.connection.frames[count:],
        )
        late: list[Frame] = []
        for number, frame in enumerate(frames):
            kind = fate[number % len(fate)] if is_of_the_log(frame) else "arrives"
            if kind in ("arrives", "doubles"):
                self.receive(frame)
            if kind in ("doubles", "is late"):
                late.append(frame)
        for frame in late:
            self.receive(frame)
        if self._is_behind:
            self.connect()

    def settle(self) -> None:
        """Ping until nothing is missing: as a client does for ever, in a network that works now."""
        for _ in range(4):
            self.connection.pump()
            self.connection.frames.append(self.server.pong())
            while self.connection.frames:
                self.receive(self.connection.frames.pop(0))
                self.connection.pump()
            if self._is_behind:
                self.connect()


def is_of_the_log(frame: Frame) -> bool:
    """Whether a frame may be lost alone: it, or the end, can be asked for again."""
    return "prev" in frame or frame["type"] in ("ai_message_complete", "error", "pong")


FATES = ["arrives", "arrives", "is lost", "doubles", "is late"]
KINDS = ["text", "text", "reasoning"]
ENDS = ["complete", "stopped", "error", "interrupted"]
Step = tuple[Any, ...]

STEPS = st.one_of(
    st.tuples(st.just("start")),
    st.tuples(st.just("grow"), st.lists(st.sampled_from(KINDS), min_size=1, max_size=4)),
    st.tuples(st.just("end"), st.sampled_from(ENDS)),
    st.tuples(
        st.just("deliver"),
        st.integers(1, 8),
        st.lists(st.sampled_from(FATES), min_size=1, max_size=5),
    ),
    st.tuples(st.just("ping")),
    st.tuples(st.just("cut")),
)


def random_step(random: Random) -> Step:
    """Return a step as STEPS has them, without what Hypothesis takes for it."""
    kind = random.choice(["start", "grow", "grow", "grow", "deliver", "deliver", "end", "ping"])
    if random.random() < 0.05:
        return ("cut",)
    if kind == "grow":
        return kind, random.choices(KINDS, k=random.randint(1, 4))
    if kind == "deliver":
        return kind, random.randint(1, 8), random.choices(FATES, k=5)
    return (kind, random.choice(ENDS)) if kind == "end" else (kind,)


def run(steps: list[Step]) -> None:
    """Let a schedule happen, then the network work; compare what the client has."""
    server = Server()
    client = Client(server)
    for step, *arguments in steps:
        if step in ("start", "grow", "end"):
            getattr(server, step)(*arguments)
        elif step == "deliver":
            client.deliver(*arguments)
        elif step == "ping":
            client.connection.pump()
            client.connection.frames.append(server.pong())
        else:
            client.connect()
    client.settle()
    running = client.follower.running
    if server.running is None:
        assert running is None
    else:
        id = server.running.id
        assert running is not None
        assert running.generation_id == id
        assert running.text == client.texts.get(id, "") == server.texts[id]
        assert running.reasoning == client.told.get(id, "") == server.reasonings[id]
    assert client.follower.revision == server.revision
    over = {id for id in server.texts if server.running is None or id != server.running.id}
    assert client.ends == {id: server.texts[id] for id in over}
    for id, text in client.texts.items():
        full = server.full.get(id, server.texts[id])
        assert full.startswith(text), "text was told twice, or in another order"


@settings(
    max_examples=200,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
@given(st.lists(STEPS, min_size=5, max_size=40))
def test_every_schedule_converges(steps: list[Step]) -> None:
    """Whatever is lost, doubled, late or cut off, the client ends with the server's texts.

    Text is told once and in order, also that of generations whose beginning was missed.
    """
    run(steps)


def test_three_thousand_schedules_converge() -> None:
    """The same for many more schedules, which chance makes."""
    for seed in range(3000):
        random = Random(seed)
        steps = [random_step(random) for _ in range(random.randint(10, 60))]
        try:
            run(steps)
        except AssertionError:
            print(f"schedule {seed}: {steps}")
            raise
