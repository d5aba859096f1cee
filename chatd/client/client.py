"""One server, one user: where everything begins."""

from __future__ import annotations

from collections.abc import AsyncIterator
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from chatd.client.answers import Counted, Found, Health, SignedIn, Ticket
from chatd.client.catalog import Models, Presets
from chatd.client.chat import ChatSession
from chatd.client.link import Link, Receiver, Timing
from chatd.client.rest import Rest, read
from chatd.client.sessions import Messages, Sessions, part
from chatd.client.turns import Turns
from chatd.client.watch import SessionList
from chatd.types import User

MOST_QUEUED = 64  # sends of one session that wait
PREFIX = "/ai-chat"


class Client:
    """A user of a server. Making one does no I/O; leaving it closes its connections.

    `sessions`, `messages`, `turns`, `models` and `presets` are calls over REST; `chat` and `watch`
    open sockets that stay.
    """

    def __init__(
        self,
        url: str,
        *,
        token: str | None = None,
        prefix: str = PREFIX,
        timing: Timing | None = None,
        trust_env: bool = True,
        most_queued: int = MOST_QUEUED,
    ) -> None:
        if urlsplit(url).scheme not in ("http", "https"):
            raise ValueError(f"{url!r} does not begin with http:// or https://.")
        self._timing = timing or Timing()
        self._trust_env, self._most_queued = trust_env, most_queued
        self._rest = Rest(url, token=token, prefix=prefix, timing=self._timing, trust_env=trust_env)
        self.sessions, self.messages = Sessions(self._rest), Messages(self._rest)
        self.turns = Turns(self._rest, self._timing)
        self.models, self.presets = Models(self._rest), Presets(self._rest)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections of REST; each live connection is closed by who opened it."""
        await self._rest.aclose()

    @property
    def token(self) -> str | None:
        """The token that is used; sockets that come back use it too."""
        return self._rest.token

    def chat(self, session_id: str) -> ChatSession:
        """Return a session's live connection, to be entered by `async with`."""
        return ChatSession(
            session_id,
            lambda receiver: self._link(f"session/{part(session_id)}/", receiver),
            self._timing,
            most_queued=self._most_queued,
        )

    def watch(self) -> SessionList:
        """Return the live list of sessions, to be entered by `async with`."""
        return SessionList(lambda receiver: self._link("sessions/", receiver), self._timing)

    def _link(self, path: str, receiver: Receiver) -> Link:
        scheme, _, rest = self._rest.url.partition("://")
        url = f"{scheme.replace('http', 'ws')}://{rest}/ws{self._rest.prefix}/{path}"
        return Link(
            url,
            receiver,
            headers=self._rest.headers,
            timing=self._timing,
            trust_env=self._trust_env,
        )

    async def me(self) -> User:
        """Return who the token belongs to."""
        return await self._rest.get(User, "me/")

    async def set_preferences(self, **preferences: Any) -> User:
        """Change preferences, such as default_model; None removes one."""
        body = {"preferences": preferences}
        return read(User, await self._rest.call("PATCH", "me/", body=body))

    def search(self, query: str, *, is_active: bool | None = True) -> AsyncIterator[Found]:
        """Yield the caller's messages that have all words of a query, the best match first."""
        active = "all" if is_active is None else is_active
        return self._rest.pages(Found, "search/", q=query, is_active=active)

    async def sign_in(self, **credentials: Any) -> SignedIn:
        """Exchange a ticket, or name and password, for a token, which is used from now on."""
        signed_in = await self._rest.post(SignedIn, "sign_in/", credentials)
        self._rest.token = signed_in.token
        return signed_in

    async def sign_out(self) -> None:
        """Revoke the token used."""
        await self._rest.call("POST", "sign_out/", body={})
        self._rest.token = None

    async def ws_ticket(self) -> Ticket:
        """Return a ticket that opens one socket, for a URL that may be logged."""
        return await self._rest.post(Ticket, "ws_ticket/")

    async def stats(self) -> Counted:
        """Return the caller's own numbers."""
        return await self._rest.get(Counted, "health/stats/")

    async def llm_health(self) -> Health:
        """Return whether the model server answers. Raises Unavailable when it does not."""
        return await self._rest.get(Health, "health/llm_server/")


def connect(
    url: str,
    *,
    token: str | None = None,
    prefix: str = PREFIX,
    timing: Timing | None = None,
    trust_env: bool = True,
    most_queued: int = MOST_QUEUED,
) -> Client:
    """Return a Client, to be entered by `async with`. Nothing is sent yet.

    `trust_env` lets HTTP_PROXY and its kin apply. `most_queued` bounds the sends that
    wait in one session for a connection or for their turn.
    """
    return Client(
        url,
        token=token,
        prefix=prefix,
        timing=timing,
        trust_env=trust_env,
        most_queued=most_queued,
    )
