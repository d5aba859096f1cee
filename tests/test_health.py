"""Whether things work, and what has been done."""

from __future__ import annotations

import asyncio
import datetime as dt
from pathlib import Path

from harness import API, Script, chatting
from routes import check_problem

import chatd

NOTHING = {
    "sessions": {"total": 0, "active": 0},
    "messages": {"total": 0, "user": 0, "assistant": 0},
    "tokens": {"prompt": 0, "completion": 0, "total": 0},
    "models": {},
    "first_message_at": None,
    "last_message_at": None,
}
HEALTH = f"{API}/health/llm_server/"


class Checked(Script):
    """A provider whose health is what it is told, when it is told."""

    def __init__(self, *, fails: Exception | None = None) -> None:
        super().__init__()
        self.fails, self.asked, self.running = fails, 0, 0
        self.go = asyncio.Event()
        self.go.set()

    async def health(self) -> None:
        """Fail or not, after letting others ask too."""
        self.asked += 1
        self.running += 1
        try:
            await asyncio.sleep(0)
            await self.go.wait()
        finally:
            self.running -= 1
        if self.fails is not None:
            raise self.fails


class Late(Script):
    """A provider whose server is started after chatd."""

    def __init__(self, name: str = "late") -> None:
        super().__init__()
        self.name, self.is_up, self.asked = name, False, 0
        self._asked = asyncio.Condition()

    async def models(self) -> list[chatd.ModelInfo]:
        """Return one model, or fail."""
        async with self._asked:
            self.asked += 1
            self._asked.notify_all()
        if not self.is_up:
            raise chatd.ProviderUnavailable("It is not there.")
        return await super().models()

    async def was_asked(self, times: int) -> None:
        """Wait until it was asked so often."""
        async with self._asked:
            await self._asked.wait_for(lambda: self.asked >= times)


async def test_a_healthy_provider(tmp_path: Path) -> None:
    """A provider that answers is healthy; nobody needs a token to learn that."""
    async with chatting(tmp_path, Script()) as chat:
        alice, nobody = await chat.client("alice"), chat.anonymous()
        await alice.call("POST", "/models/sync_models/")
        report = await nobody.call("GET", "/health/llm_server/")
        assert report.keys() == {"status", "latency_ms", "models"}
        assert (report["status"], report["models"]) == ("healthy", 1)
        assert 0 <= report["latency_ms"] < 5000


async def test_a_provider_that_is_down(tmp_path: Path) -> None:
    """A provider that fails is 503 with the code of its error, and nothing of its words."""
    for fails, code in (
        (chatd.ProviderTimeout("10.0.0.7 took too long"), "provider_timeout"),
        (chatd.ProviderUnavailable("10.0.0.7"), "provider_unavailable"),
        (ValueError("10.0.0.7"), "provider_error"),
    ):
        async with chatting(tmp_path / code, Checked(fails=fails)) as chat:
            answer = await chat.anonymous().http.get(HEALTH)
            assert answer.status_code == 503
            assert answer.json() == {"status": "unhealthy", "code": code}


async def test_no_provider(tmp_path: Path) -> None:
    """Without a provider nothing can be healthy."""
    async with chatting(tmp_path) as chat:
        answer = await chat.anonymous().http.get(HEALTH)
        assert answer.status_code == 503
        assert answer.json() == {"status": "unhealthy", "code": "model_unavailable"}


async def test_the_provider_is_not_asked_for_everybody(tmp_path: Path) -> None:
    """Many questions, at the same time or soon after, are one to the provider."""
    for fails in (None, chatd.ProviderError()):
        provider = Checked(fails=fails)
        async with chatting(tmp_path / str(fails), provider) as chat:
            nobody = chat.anonymous()
            answers = await asyncio.gather(*[nobody.http.get(HEALTH) for _ in range(20)])
            answers += [await nobody.http.get(HEALTH) for _ in range(5)]
            assert provider.asked == 1
            assert len({answer.text for answer in answers}) == 1


async def test_a_provider_that_hangs(tmp_path: Path) -> None:
    """A provider that does not answer is unhealthy after 5 s, and then at once; one check runs."""
    provider = Checked()
    provider.go.clear()
    async with chatting(tmp_path, provider) as chat:
        nobody = chat.anonymous()
        for _ in range(2):
            answer = await nobody.http.get(HEALTH)
            assert answer.status_code == 503
            assert answer.json() == {"status": "unhealthy", "code": "provider_timeout"}
        assert (provider.asked, provider.running) == (1, 1)
    assert provider.running == 0


async def test_a_provider_that_comes_late(tmp_path: Path) -> None:
    """A check that finds a provider healthy whose models are not known asks for them too."""
    provider = Late()
    async with chatting(tmp_path, provider, CHATD_MODELS_SYNC_INTERVAL="0") as chat:
        alice = await chat.client("alice")
        await alice.call("POST", "/models/sync_models/")
        assert (await alice.call("GET", "/models/"))["results"] == []
        provider.is_up = True
        assert (await alice.call("GET", "/health/llm_server/"))["models"] == 1
        assert len((await alice.call("GET", "/models/"))["results"]) == 1


async def test_a_silent_provider_is_asked_again_soon(tmp_path: Path) -> None:
    """While a provider does not answer it is asked every few seconds, and the others are not."""
    late, other = Late(), Late("other")
    other.is_up = True
    async with chatting(tmp_path, late, other) as chat:
        models = chat.app.models
        await models.sync()
        await models.aclose()
        other.asked, late.asked = 0, 0
        models.open(3600, retry=0.01)
        async with asyncio.timeout(60):
            await late.was_asked(3)
            late.is_up = True
            await late.was_asked(late.asked + 1)
        assert other.asked == 1
        assert {model.provider for model in await models.list()} >= {"other"}


async def test_the_probes(tmp_path: Path) -> None:
    """The process says that it lives, and that it is ready until it begins to stop."""
    async with chatting(tmp_path, Script()) as chat:
        alice, nobody = await chat.client("alice"), chat.anonymous()
        session_id = await alice.new_session()
        for path, status in (("/healthz", "ok"), ("/readyz", "ready")):
            answer = await nobody.http.get(path)
            assert (answer.status_code, answer.json()) == (200, {"status": status})
        chat.app.close_turns()
        assert (await nobody.http.get("/healthz")).status_code == 200
        check_problem(await nobody.http.get("/readyz"), 503, "shutting_down")
        path = f"{API}/sessions/{session_id}/send_message/"
        answer = await alice.http.post(path, json={"message": "hi"})
        check_problem(answer, 503, "shutting_down")
        assert await alice.messages(session_id) == []


async def test_a_store_that_is_away(tmp_path: Path) -> None:
    """Without its store the process lives and is not ready; what needs the store is 503."""
    async with chatting(tmp_path, Script()) as chat:
        alice, nobody = await chat.client("alice"), chat.anonymous()
        await chat.app.store.aclose()
        assert (await nobody.http.get("/healthz")).status_code == 200
        check_problem(await nobody.http.get("/readyz"), 503, "store_unavailable")
        problem = check_problem(await alice.http.get(f"{API}/me/"), 503, "store_unavailable")
        assert problem["request_id"]
        async with alice.socket("sessions", greet=False) as socket:
            event = await socket.receive()
            assert (event["code"], event["retryable"]) == ("store_unavailable", True)
            assert await socket.close_code() == 1012


async def test_no_numbers(tmp_path: Path) -> None:
    """A user who has done nothing has all numbers, and they are 0."""
    async with chatting(tmp_path, Script()) as chat:
        alice = await chat.client("alice")
        assert await alice.call("GET", "/health/stats/") == NOTHING
        await alice.new_session()
        stats = await alice.call("GET", "/health/stats/")
        assert stats == NOTHING | {"sessions": {"total": 1, "active": 1}}


async def test_numbers_after_turns(tmp_path: Path) -> None:
    """Turns of all sessions count, of deleted ones too; what is purged counts no longer."""
    usage = [chatd.Usage(prompt_tokens=n, completion_tokens=10 * n, total_tokens=11 * n)
             for n in (1, 2, 4)]  # fmt: skip
    replies = [["a", usage[0]], ["b", usage[1]], ["c"], ["d", usage[2]], [chatd.ProviderError("x")]]
    async with chatting(tmp_path, Script(*replies)) as chat:
        alice = await chat.client("alice")
        ids = [await alice.new_session() for _ in range(3)]
        await alice.call("PATCH", f"/sessions/{ids[2]}/", json={"model": "script/other"})
        first = await alice.send(ids[0])
        for session_id in (ids[0], ids[1], ids[2]):
            last = await alice.send(session_id)
        await alice.call("DELETE", f"/sessions/{ids[1]}/", 204)
        stats = await alice.call("GET", "/health/stats/")
        assert stats.keys() == NOTHING.keys()
        assert stats["sessions"] == {"total": 3, "active": 2}
        assert stats["messages"] == {"total": 8, "user": 4, "assistant": 4}
        assert stats["tokens"] == {"prompt": 7, "completion": 70, "total": 77}
        assert stats["models"] == {"script/model": 3, "script/other": 1}
        assert stats["first_message_at"] == first["user_message"]["created_at"]
        end = dt.datetime.fromisoformat(stats["last_message_at"])
        assert end >= dt.datetime.fromisoformat(last["user_message"]["created_at"])
        await alice.call("POST", f"/sessions/{ids[0]}/send_message/", 502, json={"message": "x"})
        failed = await alice.call("GET", "/health/stats/")
        assert failed["messages"] == {"total": 10, "user": 5, "assistant": 5}
        await alice.call("DELETE", f"/sessions/{ids[0]}/?purge=true", 204)
        rest = await alice.call("GET", "/health/stats/")
        assert rest["sessions"] == {"total": 2, "active": 1}
        assert rest["messages"]["total"] == 4
        assert rest["models"] == {"script/model": 1, "script/other": 1}
