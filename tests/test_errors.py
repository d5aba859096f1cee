"""Every error that REST can answer with, each brought about from outside."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from harness import API, Client, Script, chatting
from routes import check_problem
from test_docs import kinds_of

import chatd
from chatd import errors

STATUS = {kind.code: kind.status for kind in kinds_of(errors.ChatdError)}
UPSTREAM = [
    *(chatd.ProviderError, chatd.ProviderTimeout, chatd.ProviderUnavailable, chatd.ProviderBusy),
    *(chatd.ProviderRefused, chatd.ProviderInterrupted),
]


class Turns:
    """A session to which can be sent, and what stands in it."""

    def __init__(self, client: Client, session_id: str) -> None:
        self.client, self.path = client, f"{API}/sessions/{session_id}"

    async def send(self, message: str = "hi", **fields: Any) -> Any:
        """Send a message; return the whole response."""
        body = {"message": message, **fields}
        return await self.client.http.post(f"{self.path}/send_message/", json=body)

    async def count(self) -> int:
        """Return how many messages are stored."""
        answer = await self.client.http.get(f"{self.path}/messages/", params={"branch": "all"})
        return len(answer.json()["results"])


@contextlib.asynccontextmanager
async def turns(tmp_path: Path, script: Script, **settings: str) -> AsyncIterator[Turns]:
    """Run a chatd with one session."""
    async with chatting(tmp_path, script, **settings) as chat:
        alice = await chat.client("alice")
        yield Turns(alice, await alice.new_session())


def check(response: Any, code: str) -> dict[str, Any]:
    """Check that an answer is the problem with this code and the status that it documents."""
    return check_problem(response, STATUS[code], code)


@pytest.mark.parametrize("kind", UPSTREAM)
async def test_a_failed_provider(tmp_path: Path, kind: type[errors.ProviderError]) -> None:
    """A generation that fails is 502 with the code of the failure and both messages."""
    async with turns(tmp_path, Script(["text", kind("In these words.")])) as session:
        problem = check(await session.send(), kind.code)
        assert problem["status"] == 502
        assert problem["detail"] == "In these words."
        assert problem["retryable"] is kind.retryable
        assert problem["user_message"]["status"] == "complete"
        assert problem["ai_message"]["error"]["code"] == kind.code
        assert await session.count() == 2


async def test_an_unknown_failure_of_a_provider(tmp_path: Path) -> None:
    """What a provider should not have raised is 502 without its words."""
    async with turns(tmp_path, Script([ValueError("the key is 42")])) as session:
        answer = await session.send()
        check_problem(answer, 502, "provider_error")
        assert "42" not in answer.json()["detail"]


async def test_a_model_that_nobody_has(tmp_path: Path) -> None:
    """A turn whose model cannot be found is refused and stores nothing."""
    async with turns(tmp_path, Script()) as session:
        await session.client.http.patch(f"{session.path}/", json={"model": "nothing/at-all"})
        check(await session.send(), "model_unavailable")
        assert await session.count() == 0


async def test_the_same_client_id_with_another_text(tmp_path: Path) -> None:
    """A client_id stands for one text: with another one it is refused."""
    async with turns(tmp_path, Script()) as session:
        assert (await session.send("one", client_id="x")).status_code == 200
        check(await session.send("two", client_id="x"), "conflict")
        assert await session.count() == 2


async def test_a_deleted_session(tmp_path: Path) -> None:
    """Nothing is sent to a deleted session."""
    async with turns(tmp_path, Script()) as session:
        await session.client.http.delete(f"{session.path}/")
        check(await session.send(), "session_deleted")
        assert await session.count() == 0


async def test_a_generation_that_runs(tmp_path: Path) -> None:
    """While a generation runs another send is refused, of the same user too many everywhere."""
    go_on, settings = asyncio.Event(), {"CHATD_LIMITS_GENERATIONS_PER_USER": "1"}
    for limits, code in (({}, "generation_running"), (settings, "too_many_generations")):
        go_on.clear()
        async with turns(tmp_path / code, Script(["x", go_on]), **limits) as session:
            headers, body = {"Prefer": "respond-async"}, {"message": "first"}
            path = f"{session.path}/send_message/"
            first = await session.client.http.post(path, json=body, headers=headers)
            assert first.status_code == 202
            answer = await session.send("second")
            check(answer, code)
            assert ("Retry-After" in answer.headers) is (STATUS[code] == 429)
            assert await session.count() == 2
            go_on.set()


async def test_too_many_sends(tmp_path: Path) -> None:
    """Past the rate a send is refused, with the seconds after which the next one is taken."""
    limits = {"CHATD_LIMITS_SENDS_PER_MINUTE": "2", "CHATD_LIMITS_SENDS_BURST": "2"}
    async with turns(tmp_path, Script(), **limits) as session:
        for _ in range(2):
            assert (await session.send(client_id=None)).status_code == 200
        answer = await session.send()
        check(answer, "rate_limited")
        assert 1 <= int(answer.headers["Retry-After"]) <= 30
        assert await session.count() == 4


async def test_all_codes_are_brought_about() -> None:
    """Every code is tried here or where it belongs; what only sockets and files have is named."""
    here = {kind.code for kind in UPSTREAM} | {
        *("internal", "model_unavailable", "conflict", "session_deleted", "generation_running"),
        *("too_many_generations", "rate_limited"),
    }
    elsewhere = {
        *("bad_request", "invalid_input", "too_large", "unsupported_media_type"),  # bodies
        *("unauthorized", "not_found", "method_not_allowed"),  # routes
        *("forbidden", "read_only", "precondition_failed"),  # origins, presets, sessions
        *("shutting_down", "store_unavailable"),  # health
    }
    not_rest = {"unknown_event", "unavailable", "broker_unavailable", "generation_interrupted"}
    elsewhere |= {"prompt_failed"}  # hooks
    assert here | elsewhere | not_rest == STATUS.keys()
