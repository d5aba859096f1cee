"""Calls over REST: one place that sends them, repeats what may be repeated, and reads errors."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from typing import Any, Generic, TypeVar

import httpx
import msgspec

from chatd import __version__
from chatd.client.errors import TurnFailed, Unreachable, error_of
from chatd.client.follower import message_of
from chatd.client.link import Timing
from chatd.types import Value

T = TypeVar("T")
USER_AGENT = f"chatd-client/{__version__}"
TRIES = 4  # of a call that may be repeated


class Page(Value, Generic[T], frozen=True, kw_only=True):
    """A page of a list; `next` and `previous` are paths."""

    results: list[T]
    next: str | None = None
    previous: str | None = None


class Rest:
    """The REST face of one server. Raises ChatdError for what it says, Unreachable otherwise."""

    def __init__(
        self, url: str, *, token: str | None, prefix: str, timing: Timing, trust_env: bool
    ) -> None:
        self.url, self.token, self.prefix = url.rstrip("/"), token, prefix
        self._timing = timing
        self._http = httpx.AsyncClient(
            timeout=httpx.Timeout(timing.request, connect=timing.connect),
            trust_env=trust_env,
            # Loading certificates takes longest of all, and without TLS nothing needs them.
            verify=self.url.startswith("https:"),
        )

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    def headers(self) -> dict[str, str]:
        """Return the headers of every call; the token is read anew for each."""
        headers = {"User-Agent": USER_AGENT}
        return headers | ({"Authorization": f"Token {self.token}"} if self.token else {})

    async def get(self, kind: type[T], path: str, **params: Any) -> T:
        """Return what is at a path below the API; tried again when the network fails."""
        return read(kind, await self.call("GET", path, params=params, may_repeat=True))

    async def post(self, kind: type[T], path: str, body: Mapping[str, Any] | None = None) -> T:
        """Post a body and return the answer."""
        return read(kind, await self.call("POST", path, body=body or {}))

    async def pages(self, kind: type[T], path: str, **params: Any) -> AsyncIterator[T]:
        """Yield what is in a list, page after page, as it is iterated over."""
        page = await self.get(Page[kind], path, **params)  # type: ignore[valid-type]
        while True:
            for item in page.results:
                yield item
            if page.next is None:
                return
            response = await self._call("GET", self._origin_of(page.next), may_repeat=True)
            page = read(Page[kind], response)  # type: ignore[valid-type]

    def _origin_of(self, link: str) -> str:
        if not link.startswith("/") or link.startswith("//"):
            raise Unreachable("The server links to another one.")
        return self.url + link

    async def call(
        self,
        method: str,
        path: str,
        *,
        body: Mapping[str, Any] | None = None,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        may_repeat: bool = False,
        patience: float | None = None,
    ) -> httpx.Response:
        """Call a path below the API; return the whole answer, which is no error.

        `patience` is for how many seconds an answer may take, 0 for ever.
        """
        request: dict[str, Any] = {"params": _set(params or {}), "headers": headers or {}}
        if body is not None:
            request["json"] = body
        if patience is not None:
            request["timeout"] = httpx.Timeout(patience or None, connect=self._timing.connect)
        return await self._call(method, self.path(path), may_repeat=may_repeat, **request)

    def path(self, path: str) -> str:
        """Return the URL of a path below the API."""
        return f"{self.url}{self.prefix}/api/{path}"

    async def _call(
        self, method: str, url: str, *, may_repeat: bool, **request: Any
    ) -> httpx.Response:
        request["headers"] = {**self.headers(), **request.get("headers", {})}
        backoff = self._timing.backoff()
        for left in reversed(range(TRIES if may_repeat else 1)):
            try:
                response = await self._http.request(method, url, **request)
            except (httpx.TransportError, httpx.InvalidURL) as exc:
                if not left or isinstance(exc, (httpx.InvalidURL, httpx.UnsupportedProtocol)):
                    raise Unreachable(_reason(self.url, exc)) from exc
                await asyncio.sleep(backoff.next())
            else:
                check(response)
                return response
        raise AssertionError("unreachable")

    @contextlib.asynccontextmanager
    async def stream(
        self, method: str, path: str, *, body: Mapping[str, Any], headers: Mapping[str, str]
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        """Call a path and give the bytes of its answer as they come. Network errors are httpx's."""
        timeout = httpx.Timeout(self._timing.request, connect=self._timing.connect)
        async with self._http.stream(
            method,
            self.path(path),
            json=body,
            params={"chunks": "delta"},
            headers={**self.headers(), **headers},
            timeout=timeout,
        ) as response:
            if response.is_error:
                await response.aread()
                check(response)
            yield response.aiter_bytes()


def _set(params: Mapping[str, Any]) -> dict[str, str]:
    """Return the parameters that are set, as a query has them."""
    return {
        name: str(value).lower() if isinstance(value, bool) else str(value)
        for name, value in params.items()
        if value is not None
    }


def _reason(url: str, exc: Exception) -> str:
    return f"{url} cannot be reached: {exc or type(exc).__name__}."


def check(response: httpx.Response) -> None:
    """Raise the error that an answer is. A redirect is one: the token is for one server."""
    if response.is_success:
        return
    said = problem_of(response)
    retry_after = response.headers.get("Retry-After", "")
    if retry_after.isdecimal():
        said.setdefault("retry_after", int(retry_after))
    said.setdefault("detail", f"The server answered {response.status_code}.")
    error = error_of(said, response.status_code)
    if "ai_message" in said:  # the turn is stored all the same
        raise TurnFailed(error, message_of(said["ai_message"]))
    raise error


def problem_of(response: httpx.Response) -> dict[str, Any]:
    """Return the problem in an answer, empty when a proxy answered with something else."""
    try:
        said = msgspec.json.decode(response.content)
    except msgspec.DecodeError:
        return {}
    return said if isinstance(said, dict) else {}


def read(kind: type[T], response: httpx.Response) -> T:
    """Return the value in an answer; fields of a newer server are dropped."""
    try:
        return msgspec.json.decode(response.content, type=kind)
    except msgspec.DecodeError as exc:
        raise Unreachable(f"{response.url.copy_with(query=None)} is no chatd: {exc}.") from exc
