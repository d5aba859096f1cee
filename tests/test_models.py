"""Models over REST: the list, the default, asking the providers, and the administrator's word."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from harness import API, Client, Script, chatting
from routes import administrator, check_problem

import chatd
from chatd.catalog import Models
from chatd.stores import open_store

MODEL = {
    *("id", "name", "provider", "context_length", "capabilities", "is_default", "is_active"),
    "last_seen_at",
}
NO_TIMER = {"CHATD_MODELS_SYNC_INTERVAL": "0"}


class Offers(chatd.Provider):
    """A provider that offers what it is told, or fails; it counts how often it was asked."""

    def __init__(self, name: str, *names: str, fails: Exception | None = None) -> None:
        self.name, self.names, self.fails = name, list(names), fails
        self.asked = 0
        self.was_asked = asyncio.Event()
        self.gate: asyncio.Event | None = None

    async def models(self) -> list[chatd.ModelInfo]:
        """Return what it was told."""
        self.asked += 1
        self.was_asked.set()
        if self.gate is not None:
            await self.gate.wait()
        if self.fails is not None:
            raise self.fails
        return [chatd.ModelInfo(name=name, capabilities=("chat",)) for name in self.names]

    async def stream(self, prompt: chatd.Prompt) -> AsyncGenerator[chatd.Chunk | str, None]:
        """Say which model was asked."""
        yield f"{self.name}:{prompt.model}"


class Providers:
    """A plugin with several providers."""

    def __init__(self, *providers: chatd.Provider) -> None:
        self.providers = providers

    @chatd.hookimpl
    def register_providers(self) -> list[chatd.Provider]:
        """Return them."""
        return [*self.providers]


async def ids(client: Client, query: str = "") -> list[str]:
    """Return the ids of one page."""
    page = await client.call("GET", f"/models/{query}")
    return [model["id"] for model in page["results"]]


async def sync(client: Client) -> Any:
    """Ask the providers."""
    return await client.call("POST", "/models/sync_models/")


async def change(client: Client, model_id: str, **changes: bool) -> Any:
    """Change a model."""
    return await client.call("PATCH", f"/models/{quote(model_id, safe='')}/", json=changes)


async def test_the_list(tmp_path: Path) -> None:
    """Models come in the order of their providers, with all fields, and the default beside them."""
    providers = Providers(Offers("z", "b", "a/x:1"), Offers("a", "é"))
    async with chatting(tmp_path, providers, **NO_TIMER) as chat:
        alice = await chat.client("alice")
        await sync(alice)
        page = await alice.call("GET", "/models/")
        assert page.keys() == {"results", "next", "previous", "default"}
        assert [model["id"] for model in page["results"]] == ["z/a/x:1", "z/b", "a/é"]
        model = page["results"][0]
        assert model.keys() == MODEL
        assert (model["name"], model["provider"]) == ("a/x:1", "z")
        assert (model["is_active"], model["is_default"]) == (True, False)
        assert (model["capabilities"], model["context_length"]) == (["chat"], None)
        assert model["last_seen_at"].endswith("Z")
        assert page["default"] == "z/a/x:1"


async def test_the_report(tmp_path: Path) -> None:
    """Asking the providers says what each has and what changed; what is gone is not active."""
    offers = Offers("one", "a", "b")
    async with chatting(tmp_path, Providers(offers), **NO_TIMER) as chat:
        alice = await chat.client("alice")
        report = {"synced": 2, "added": 2, "updated": 0, "deactivated": 0}
        providers = {"one": {"ok": True, "models": 2}}
        first = await sync(alice)
        if first["added"] == 2:  # else the first question of the start came before ours
            assert first == report | {"providers": providers}
        assert await sync(alice) == report | {"added": 0, "providers": providers}
        offers.names = ["b", "c"]
        assert await sync(alice) == report | {"added": 1, "deactivated": 1, "providers": providers}
        assert await ids(alice) == ["one/b", "one/c"]
        assert await ids(alice, "?is_active=false") == ["one/a"]
        assert await ids(alice, "?is_active=all") == ["one/a", "one/b", "one/c"]


async def test_a_dead_provider_fails_alone(tmp_path: Path) -> None:
    """A provider that fails is said to, in words that a user may read; the others' models come."""
    dead = Offers("dead", fails=chatd.ProviderUnavailable("dead cannot be reached."))
    broken = Offers("broken", fails=ValueError("the key is 42"))
    async with chatting(tmp_path, Providers(dead, broken, Offers("live", "a")), **NO_TIMER) as chat:
        alice = await chat.client("alice")
        report = await sync(alice)
        assert report["synced"] == 1
        assert report["providers"] == {
            "dead": {"ok": False, "models": 0, "error": "dead cannot be reached."},
            "broken": {"ok": False, "models": 0, "error": "broken failed."},
            "live": {"ok": True, "models": 1},
        }
        assert await ids(alice) == ["live/a"]


async def test_a_provider_that_dies_keeps_its_models(tmp_path: Path) -> None:
    """What a provider offered stays listed while it cannot be asked."""
    offers = Offers("one", "a")
    async with chatting(tmp_path, Providers(offers), **NO_TIMER) as chat:
        alice = await chat.client("alice")
        await sync(alice)
        offers.fails = chatd.ProviderError("no")
        assert (await sync(alice))["deactivated"] == 0
        assert await ids(alice) == ["one/a"]


async def test_a_provider_that_hangs_is_left_behind(tmp_path: Path) -> None:
    """The report waits for nobody for long; the others' models are there."""
    hangs, live = Offers("hangs", "a"), Offers("live", "b")
    hangs.gate = asyncio.Event()
    store = open_store(f"sqlite:///{tmp_path}/chat.db")
    await store.open()
    async with contextlib.aclosing(store):
        models = Models(store, [hangs, live], default="", answers_within=0.2)
        async with asyncio.timeout(60):
            report = await models.sync()
        assert report["providers"] == {
            "hangs": {"ok": False, "models": 0, "error": "hangs took too long."},
            "live": {"ok": True, "models": 1},
        }
        assert [model.id for model in await models.list()] == ["live/b"]
        await models.aclose()


async def test_questions_at_the_same_time_share_one_run(tmp_path: Path) -> None:
    """Calls at the same time ask each provider once; the list does not wait for them."""
    offers = Offers("one", "a")
    async with chatting(tmp_path, Providers(offers), **NO_TIMER) as chat:
        alice, bob = await chat.client("alice"), await chat.client("bob")
        await sync(alice)
        offers.gate, offers.asked, offers.names = asyncio.Event(), 0, ["a", "b"]
        offers.was_asked.clear()
        first = asyncio.create_task(sync(alice))
        second = asyncio.create_task(sync(bob))
        await offers.was_asked.wait()
        for client in (alice, bob):
            assert await ids(client) == ["one/a"]
        offers.gate.set()
        assert await first == await second
        assert offers.asked == 1
        assert await ids(alice) == ["one/a", "one/b"]


async def test_the_administrators_word(tmp_path: Path) -> None:
    """An administrator sets the one default and switches models off, which outlives a question."""
    offers = Offers("one", "a", "b", "org/c")
    async with chatting(tmp_path, Providers(offers), **NO_TIMER) as chat:
        admin, alice = await administrator(chat), await chat.client("alice")
        await sync(admin)
        for model_id in ("one/b", "one/org/c"):
            model = await change(admin, model_id, is_default=True)
            assert model.keys() == MODEL
            assert (model["id"], model["is_default"]) == (model_id, True)
            assert (await alice.call("GET", "/models/"))["default"] == model_id
        models = (await alice.call("GET", "/models/"))["results"]
        assert [model["id"] for model in models if model["is_default"]] == ["one/org/c"]
        assert (await change(admin, "one/org/c", is_active=False))["is_active"] is False
        await sync(admin)
        assert await ids(alice) == ["one/a", "one/b"]
        assert (await alice.call("GET", "/models/"))["default"] == "one/a"
        assert (await change(admin, "one/org/c", is_active=True))["is_active"] is True
        assert await change(admin, "one/a") == await change(admin, "one/a", is_default=False)


async def test_who_may_change_a_model(tmp_path: Path) -> None:
    """A model is changed by administrators: others get 403, an unknown one is 404."""
    async with chatting(tmp_path, Script(), **NO_TIMER) as chat:
        admin, alice = await administrator(chat), await chat.client("alice")
        await sync(admin)
        path = f"{API}/models/script%2Fmodel/"
        check_problem(await alice.http.patch(path, json={"is_default": True}), 403, "forbidden")
        for other in ("script%2Fnothing", "script", "model", "nothing%2Fmodel", "SCRIPT%2Fmodel"):
            answer = await admin.http.patch(f"{API}/models/{other}/", json={"is_default": True})
            check_problem(answer, 404, "not_found")
        check_problem(await admin.http.patch(f"{API}/models/script/model/", json={}), 404)


async def test_the_default(tmp_path: Path) -> None:
    """The default is the user's, else the administrator's, else the configured, else the first."""
    providers = Providers(Offers("one", "a", "b"), Offers("two", "b", "c", "d"))
    settings = NO_TIMER | {"LLM_DEFAULT_MODEL": "c"}
    async with chatting(tmp_path, providers, **settings) as chat:
        admin, alice = await administrator(chat), await chat.client("alice")
        await sync(admin)

        async def default() -> Any:
            return (await alice.call("GET", "/models/"))["default"]

        assert await default() == "two/c"
        await change(admin, "two/d", is_default=True)
        assert await default() == "two/d"
        for wanted, found in (("b", "one/b"), ("two/b", "two/b"), ("nothing", "two/d")):
            await alice.call("PATCH", "/me/", json={"preferences": {"default_model": wanted}})
            assert await default() == found
        turn = await alice.send(await alice.new_session(model=None))
        assert turn["ai_message"]["content"] == "two:d"
        assert (await admin.call("GET", "/models/"))["default"] == "two/d"
        for model_id in ("one/a", "one/b", "two/b", "two/c", "two/d"):
            await change(admin, model_id, is_active=False)
        assert await default() is None


@pytest.mark.parametrize("limit", [1, 2, 50])
async def test_pages_both_ways(tmp_path: Path, limit: int) -> None:
    """Pages keep their filter; what a provider adds meanwhile moves nothing."""
    offers = Offers("one", "b", "d", "f")
    async with chatting(tmp_path, Providers(offers, Offers("a", "x")), **NO_TIMER) as chat:
        admin = await administrator(chat)
        await sync(admin)
        for model_id in ("one/d", "one/f", "a/x"):
            await change(admin, model_id, is_active=False)
        pages = [await admin.call("GET", f"/models/?is_active=false&limit={limit}")]
        offers.names = ["a", "b", "c", "d", "f"]
        await sync(admin)
        await change(admin, "one/a", is_active=False)
        while following := pages[-1]["next"]:
            pages.append(await admin.call("GET", following.removeprefix(API)))
        found = [model["id"] for page in pages for model in page["results"]]
        assert found == ["one/d", "one/f", "a/x"]
        if before := pages[-1]["previous"]:
            page = await admin.call("GET", before.removeprefix(API))
            expected = ["one/f"] if limit == 1 else ["one/d", "one/f"]
            assert [model["id"] for model in page["results"]] == expected
