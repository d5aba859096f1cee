"""What is said at the terminal: messages and commands, one after another."""

from __future__ import annotations

import contextlib
import math
import signal
import sys
from collections.abc import Callable, Iterator
from typing import Any, Self

from rich.console import Console
from rich.markup import escape

from chatd import client as cc
from chatd.cli.painter import Painter, printable
from chatd.errors import ChatdError

TITLE = 60  # characters of the first message that become the title
SHOWN = 20  # sessions that are listed
PROMPT = "> "


class Leave(Exception):
    """The user wants to go."""


class Conversation:
    """A session at a terminal. It is made with its first message, unless it is given."""

    def __init__(self, client: Any, session_id: str | None, model: str | None) -> None:
        self._client, self._model = client, model
        self._session: Any = None
        self._chat: Any = None
        self._title: str | None = None
        self._console = Console(highlight=False)
        self._errors = Console(stderr=True, highlight=False)
        if session_id is not None:
            self._open(client.sessions.get(session_id))
            if model is not None:
                self._session = client.sessions.update(session_id, model=model)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._close()

    def run(self) -> None:
        """Read and answer until the user leaves."""
        with contextlib.suppress(ImportError):
            import readline  # noqa: F401  # lines can be edited, and have a history

        self._tell("Type a message, or /help. Ctrl-D leaves.")
        if self._chat is not None:
            self._attempt(self._follow)
        try:
            while True:
                self._attempt(self._read)
        except (EOFError, KeyboardInterrupt):
            self._console.print()

    def say(self, text: str) -> None:
        """Send a message and show the reply to its end."""
        if self._chat is None:
            self._begin(text)
        self._show(self._chat.send(text))

    def _attempt(self, work: Callable[[], None]) -> None:
        try:
            work()
        except (ChatdError, cc.ClientError) as exc:
            self._errors.print(f"[red]{escape(printable(str(exc)))}[/]")
        except UnicodeError:
            self._errors.print("[red]That is not UTF-8.[/]")

    def _read(self) -> None:
        if line := input(PROMPT).strip():
            self._do(line)

    def _do(self, line: str) -> None:
        name, _, rest = line.partition(" ")
        if not name.startswith("/"):
            self.say(line)
        elif name in COMMANDS:
            COMMANDS[name][1](self, rest.strip())
        else:
            self._tell(f"There is no {name}; /help shows the commands.")

    def _tell(self, text: str) -> None:
        self._console.print(f"[dim]{escape(printable(text))}[/]")

    def _begin(self, text: str) -> None:
        title = (self._title or " ".join(text.split()))[:TITLE]
        model = {"model": self._model} if self._model else {}
        self._open(self._client.sessions.create(title=title, **model))

    def _open(self, session: Any) -> None:
        self._close()
        chat = self._client.chat(session.id)
        chat.__enter__()
        self._session, self._chat = session, chat

    def _close(self) -> None:
        chat, self._session, self._chat = self._chat, None, None
        if chat is not None:
            chat.__exit__(None, None, None)

    def _show(self, turn: Any) -> None:
        """Draw a turn; the first Ctrl-C stops it, the second one leaves."""
        with _interrupts(turn) as was_stopped, Painter(self._console) as painter:
            painter.note("…")
            for event in turn:
                _draw(event, painter)
                if was_stopped():
                    painter.note("stopping …")
        if turn.reply().status == "stopped" and sys.stdin.isatty():
            self._tell("(stopped)")

    def _follow(self) -> None:
        turn = self._chat.follow()
        if turn is not None:
            self._show(turn)

    def _help(self, rest: str) -> None:
        for name, (about, _) in COMMANDS.items():
            self._tell(f"{name:12} {about}")

    def _stop(self, rest: str) -> None:
        if self._chat is None or self._chat.running is None:
            self._tell("Nothing runs.")
            return
        self._chat.stop()
        self._follow()

    def _regenerate(self, rest: str) -> None:
        if self._chat is None:
            self._tell("There is no answer yet.")
            return
        self._show(self._chat.regenerate())

    def _choose_model(self, rest: str) -> None:
        if not rest:
            default = self._client.models.default()
            used = self._session.model if self._session else self._model
            for model in self._client.models.list():
                mark = "*" if model.id == (used or default) else " "
                self._tell(f"{mark} {model.id}")
            return
        if self._session is not None:
            self._session = self._client.sessions.update(self._session.id, model=rest)
        self._model = rest
        self._tell(f"From now on {rest} answers.")
        listed = self._client.models.list()
        if not any(rest in (model.id, model.name) for model in listed):
            self._tell("It is not listed here; the next message asks for it. /model lists who is.")

    def _list(self, rest: str) -> None:
        sessions = [s for s, _ in zip(self._client.sessions.list(), range(SHOWN), strict=False)]
        for session in sessions:
            mark = "*" if self._session and session.id == self._session.id else " "
            self._tell(f"{mark} {session.id}  {session.title or '(no title)'}")
        self._tell("/open ID goes on with one." if sessions else "There is no session yet.")

    def _go_on(self, rest: str) -> None:
        self._open(self._client.sessions.get(rest))
        self._tell(f"This is: {self._session.title or self._session.id}")
        self._follow()

    def _new(self, rest: str) -> None:
        self._close()
        self._title = rest or None
        self._tell("A new session begins with your next message.")

    def _name(self, rest: str) -> None:
        self._title = rest
        if self._session is not None:
            self._session = self._client.sessions.update(self._session.id, title=rest)

    def _leave(self, rest: str) -> None:
        raise Leave


Command = Callable[[Conversation, str], None]
COMMANDS: dict[str, tuple[str, Command]] = {
    "/help": ("this", Conversation._help),
    "/stop": ("stop the reply that runs, also one begun elsewhere", Conversation._stop),
    "/regenerate": ("have the last message answered anew", Conversation._regenerate),
    "/model": ("NAME: who answers from now on; alone: all models", Conversation._choose_model),
    "/sessions": ("your sessions", Conversation._list),
    "/open": ("ID: go on with a session", Conversation._go_on),
    "/new": ("begin a new session; a TITLE may follow", Conversation._new),
    "/title": ("TEXT: name this session", Conversation._name),
    "/exit": ("leave, as Ctrl-D does", Conversation._leave),
}


def _draw(event: cc.Event, painter: Painter) -> None:
    """Show an event as what it is; what goes wrong with the connection too."""
    if isinstance(event, cc.Text):
        painter.note("")
        painter.add(event.content)
    elif isinstance(event, cc.Reasoning):
        painter.note("thinking …")
    elif isinstance(event, cc.ToolCall):
        painter.note(f"calling {printable(event.name)} …")
    elif isinstance(event, cc.Disconnected):
        pause = math.ceil(event.retry_in) or 1
        painter.note(f"{printable(event.reason)}; trying again in {pause} s …")
    elif isinstance(event, cc.Connected):
        painter.note("connected again …")


@contextlib.contextmanager
def _interrupts(turn: Any) -> Iterator[Callable[[], bool]]:
    """Let the first Ctrl-C stop a turn, without waiting, and the next one interrupt as ever."""
    count = 0

    def stop(signum: int, frame: object) -> None:
        nonlocal count
        count += 1
        if count > 1:
            raise Leave
        turn.soon("stop")

    before = signal.signal(signal.SIGINT, stop)
    try:
        yield lambda: count > 0
    finally:
        signal.signal(signal.SIGINT, before)
