"""What chatd relies on in a plugin, as tests: subclass one, and name the class Test..."""

from __future__ import annotations

import asyncio
import contextlib
import json
import tempfile
from collections.abc import Coroutine, Mapping
from pathlib import Path
from typing import Any, ClassVar

import httpx

from chatd.errors import ChatdError
from chatd.provider import Finish, Prompt, PromptMessage, Provider, Reasoning, Text, ToolCall
from chatd.testing.server import Server, serving
from chatd.types import Usage

WITHIN = 60.0  # seconds for one test
CHUNKS = (str, Text, Reasoning, ToolCall, Usage, Finish)


def run(work: Coroutine[Any, Any, None]) -> None:
    """Run a test."""

    async def in_time() -> None:
        async with asyncio.timeout(WITHIN):
            await work

    asyncio.run(in_time())


class ProviderContract:
    """What a provider gives: models, whole replies, and an end when it is told to end."""

    question: ClassVar[str] = "Say hello."

    def provider(self) -> Provider:
        """Return a provider that works; each test makes one, inside an event loop."""
        raise NotImplementedError

    def test_its_name_begins_the_ids_of_its_models(self) -> None:
        """The name is a text without a slash."""

        async def check(provider: Provider) -> None:
            assert provider.name
            assert "/" not in provider.name

        self._check(check)

    def test_it_lists_its_models(self) -> None:
        """There is a model, and none is listed twice; asking for its health does not raise."""

        async def check(provider: Provider) -> None:
            names = [model.name for model in await provider.models()]
            assert names
            assert all(names)
            assert len({*names}) == len(names)
            await provider.health()

        self._check(check)

    def test_it_answers(self) -> None:
        """A reply is chunks of the known kinds, has a text, and counts tokens once at most."""

        async def check(provider: Provider) -> None:
            chunks = await self._reply(provider)
            assert all(isinstance(chunk, CHUNKS) for chunk in chunks), chunks
            said = [chunk for chunk in chunks if isinstance(chunk, str | Text | Reasoning)]
            assert any(chunk if isinstance(chunk, str) else chunk.text for chunk in said)
            assert sum(isinstance(chunk, Usage) for chunk in chunks) <= 1
            assert sum(isinstance(chunk, Finish) for chunk in chunks) <= 1

        self._check(check)

    def test_it_can_be_stopped(self) -> None:
        """A reply that is closed after its first chunk ends soon, and the next one is whole."""

        async def check(provider: Provider) -> None:
            async with contextlib.aclosing(provider.stream(await self._prompt(provider))) as reply:
                await anext(reply)
            assert await self._reply(provider)

        self._check(check)

    def test_it_answers_several_at_once(self) -> None:
        """Replies at the same time do not get into each other's way."""

        async def check(provider: Provider) -> None:
            replies = await asyncio.gather(*[self._reply(provider) for _ in range(3)])
            assert all(replies)

        self._check(check)

    def test_it_fails_with_a_sentence(self) -> None:
        """A model that it does not have is answered, or is an error that a user may read."""

        async def check(provider: Provider) -> None:
            prompt = (await self._prompt(provider)).replace(model="no such model")
            try:
                async with contextlib.aclosing(provider.stream(prompt)) as reply:
                    async for _ in reply:
                        pass
            except ChatdError as exc:
                assert exc.message
            assert await self._reply(provider)

        self._check(check)

    def _check(self, check: Any) -> None:
        async def work() -> None:
            provider = self.provider()
            try:
                await check(provider)
            finally:
                await provider.aclose()

        run(work())

    async def _prompt(self, provider: Provider) -> Prompt:
        model = (await provider.models())[0].name
        messages = (
            PromptMessage(role="system", content="You are a test."),
            PromptMessage(role="user", content=self.question),
        )
        settings = {"temperature": 0.0, "max_tokens": 50, "options": {}}
        return Prompt(model=model, messages=messages, settings=settings)

    async def _reply(self, provider: Provider) -> list[Any]:
        prompt = await self._prompt(provider)
        async with contextlib.aclosing(provider.stream(prompt)) as reply:
            return [chunk async for chunk in reply]


class AuthContract:
    """What an authenticator does: it lets in who has its credentials, and nobody else.

    `plugins`, `config` and `directory` are what chatd.testing.serving takes.
    """

    plugins: ClassVar[tuple[Any, ...]] = ()
    config: ClassVar[str] = ""
    directory: ClassVar[Path | str | None] = None

    async def good(self, server: Server) -> Mapping[str, str]:
        """Return headers that are let in."""
        raise NotImplementedError

    async def bad(self, server: Server) -> Mapping[str, str]:
        """Return headers of the same kind that are not."""
        raise NotImplementedError

    def test_good_credentials_are_let_in(self) -> None:
        """Who has them is somebody, and the same one every time."""

        async def check(server: Server) -> None:
            good = await self.good(server)
            first, second = [await _me(server, good) for _ in range(2)]
            assert first.status_code == 200, first.text
            assert first.json()["id"]
            assert first.json() == second.json()

        self._check(check)

    def test_bad_credentials_are_refused(self) -> None:
        """Who has bad ones is told 401, and nothing of why the plugin thinks so."""

        async def check(server: Server) -> None:
            refused = await _me(server, await self.bad(server))
            assert refused.status_code == 401, refused.text
            assert refused.json()["code"] == "unauthorized"

        self._check(check)

    def test_other_credentials_are_left_to_others(self) -> None:
        """Without credentials nobody is let in; a token that chatd issued is still good."""

        async def check(server: Server) -> None:
            assert (await _me(server, {})).status_code == 401
            token = await server.token("somebody")
            theirs = await _me(server, {"Authorization": f"Bearer {token}"})
            assert theirs.json()["name"] == "somebody"

        self._check(check)

    def test_a_disabled_account_is_shut_out(self) -> None:
        """Whom the operator has disabled is refused, whatever credentials they have."""

        async def check(server: Server) -> None:
            good = await self.good(server)
            found = await _me(server, good)
            user_id = found.json()["id"]
            if await server.app.store.get_account(user_id=user_id) is not None:
                await server.app.store.update_account(user_id, is_active=False)
                assert (await _me(server, good)).status_code == 401

        self._check(check)

    def test_a_socket_is_let_in_alike(self) -> None:
        """A WebSocket opens with good credentials, and bad ones are told so."""

        async def check(server: Server) -> None:
            assert await _greeting(server, await self.good(server)) == "connection_established"
            assert await _greeting(server, await self.bad(server)) == "error"

        self._check(check)

    def _check(self, check: Any) -> None:
        async def work() -> None:
            with tempfile.TemporaryDirectory() as data_dir:
                options: dict[str, Any] = {"config": self.config, "directory": self.directory}
                async with serving(Path(data_dir), *self.plugins, **options) as server:
                    await check(server)

        run(work())


async def _me(server: Server, headers: Mapping[str, str]) -> httpx.Response:
    url = f"{server.url}{server.app.config.server.prefix}/api/me/"
    async with httpx.AsyncClient(trust_env=False) as http:
        return await http.get(url, headers=dict(headers))


async def _greeting(server: Server, headers: Mapping[str, str]) -> str:
    """Return the type of the first event of a socket."""
    from websockets.asyncio.client import connect

    url = f"{server.url.replace('http', 'ws')}/ws{server.app.config.server.prefix}/sessions/"
    async with connect(url, additional_headers=dict(headers), proxy=None) as socket:
        event: dict[str, Any] = json.loads(await socket.recv())
        return str(event["type"])
