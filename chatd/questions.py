"""Questions to a session's model beside its turns, as plugins ask them: for a title, say.

They go the way of a turn's prompt, so that what must not get to a model does not get there in
another way, and observers are told what they cost.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import msgspec

from chatd.catalog import Models
from chatd.errors import ChatdError, ProviderError, ProviderTimeout
from chatd.gathering import is_count
from chatd.observations import Observations
from chatd.prompts import Prompts, size_of
from chatd.provider import Chunk, Prompt, PromptMessage, Provider, Text
from chatd.types import Session, Usage, User

logger = logging.getLogger(__name__)


class Questions:
    """Asks the models of sessions, outside of turns."""

    def __init__(
        self, models: Models, prompts: Prompts, observations: Observations, *, most_bytes: int
    ) -> None:
        self._models, self._prompts, self._observations = models, prompts, observations
        self._most_bytes = most_bytes

    async def ask(
        self,
        user: User,
        session: Session,
        messages: Sequence[PromptMessage],
        *,
        settings: Mapping[str, Any] = MappingProxyType({}),
        shape: Callable[[Prompt], Prompt] | None = None,
        seconds: float = 20.0,
    ) -> str:
        """Return what a session's model answers to these messages, which are no turn of it.

        Plugins prepare the prompt as that of a turn; `shape` may change it afterwards, and must add
        nothing. `settings` are `temperature`, `max_tokens`, `options`. Observers are told
        `model_asked`. Raises what fails a turn: PromptFailed, ProviderError, ModelUnavailable.
        """
        await self._models.list()
        provider, model = self._models.pick(user, session.model)
        prompt = Prompt(
            model=model.name, messages=tuple(messages), settings={"options": {}, **settings}
        )
        prompt = await self._prompts.prepared(user, session, prompt)
        if shape is not None:
            prompt = shape(prompt)
        answer = Answer(self._most_bytes)
        try:
            async with asyncio.timeout(seconds):
                await answer.take(provider, prompt)
        except TimeoutError as exc:
            raise ProviderTimeout(f"{provider.name} took too long to answer.") from exc
        except ChatdError:
            raise
        except Exception as exc:
            logger.exception("the provider %s has a bug", provider.name)
            raise ProviderError from exc
        finally:
            sizes = {"asked": size_of(prompt), "said": answer.size}
            about = {"model": model.id, "usage": answer.usage, **sizes}
            self._observations.tell("model_asked", user.id, session=session, detail=about)
        return "".join(answer.texts)


class Answer:
    """What has come of an answer."""

    def __init__(self, most_bytes: int) -> None:
        self.texts: list[str] = []
        self.size = 0  # bytes of text and of what is thought
        self.usage: Usage | None = None
        self._most_bytes = most_bytes

    async def take(self, provider: Provider, prompt: Prompt) -> None:
        """Take the reply of a provider, up to its end or to a length."""
        async with contextlib.aclosing(provider.stream(prompt)) as chunks:
            async for chunk in chunks:
                self._add(chunk)
                if self.size > self._most_bytes:
                    return

    def _add(self, chunk: Chunk | str) -> None:
        if isinstance(chunk, Usage):
            if all(map(is_count, msgspec.structs.astuple(chunk))):
                self.usage = chunk
            return
        text = chunk if isinstance(chunk, str) else getattr(chunk, "text", "")
        self.size += len(text.encode(errors="replace"))
        if isinstance(chunk, str | Text):
            self.texts.append(text)
