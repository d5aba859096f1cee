"""What can go wrong at a client, and how a server's problem becomes an exception.

What the server says is raised as the class of chatd.errors that has its code, so that
`except chatd.errors.RateLimited` works on both sides of the wire. What it did not say is a
ClientError:

ClientError
├── Unreachable       the server did not answer; nothing is known of what was asked
├── Closed            the connection was closed, by this client or for good by the server
├── OutboxFull        too many sends wait for a connection or for their turn
├── Withdrawn         the send was taken back before it was sent
└── TurnFailed        the turn is stored, but its generation failed: `error` says why
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from chatd.errors import (
    BadRequest,
    ChatdError,
    ConfigError,
    Forbidden,
    NotFound,
    Unauthenticated,
    Unavailable,
)
from chatd.types import Message

# Of a status whose code this client does not know.
BY_STATUS: dict[int, type[ChatdError]] = {401: Unauthenticated, 403: Forbidden, 404: NotFound}


class ClientError(Exception):
    """Something went wrong on this side of the wire."""

    def __init__(self, message: str = "") -> None:
        super().__init__(message or " ".join((type(self).__doc__ or "").split()))


class Unreachable(ClientError):
    """The server did not answer."""


class Closed(ClientError):
    """The connection is closed."""


class OutboxFull(ClientError):
    """Too many messages wait to be sent."""


class Withdrawn(ClientError):
    """The message was taken back before it was sent."""


class TurnFailed(ClientError):
    """The generation failed.

    The user's message is stored; `reply` is the answer as far as it came, and `error` why it went
    no further: an instance of ProviderTimeout, GenerationInterrupted and so on.
    """

    def __init__(self, error: ChatdError, reply: Message) -> None:
        super().__init__(error.message)
        self.error = error
        self.reply = reply


def _kinds(kind: type[ChatdError]) -> Iterator[type[ChatdError]]:
    if kind is not ConfigError:
        yield kind
    for below in kind.__subclasses__():
        yield from _kinds(below)


BY_CODE: dict[str, type[ChatdError]] = {
    kind.code: kind for kind in _kinds(ChatdError) if kind.__module__ == ChatdError.__module__
}


def error_of(said: Mapping[str, Any], status: int = 0) -> ChatdError:
    """Return the exception that a problem (RFC 9457) or an `error` event stands for.

    A code of a newer server is kept in an instance of the class that fits the status best.
    """
    code = str(said.get("code") or "")
    kind = BY_CODE.get(code) or BY_STATUS.get(status) or _by_class(status)
    text = said.get("detail") or said.get("message") or ""
    error = kind(str(text), errors=said.get("errors"), retry_after=said.get("retry_after"))
    error.status = status or error.status
    if code:
        error.code = code
    if isinstance(said.get("retryable"), bool):
        error.retryable = said["retryable"]
    return error


def _by_class(status: int) -> type[ChatdError]:
    if 400 <= status < 500:
        return BadRequest
    return Unavailable if status in (502, 503, 504) else ChatdError
