"""What a provider is given for a turn."""

from __future__ import annotations

from collections.abc import Iterable

from chatd.calling import Call
from chatd.errors import ChatdError, GenerationInterrupted, PromptFailed, StoreUnavailable
from chatd.histories import Histories
from chatd.plugins import Plugins
from chatd.provider import Prompt, PromptMessage, Provider
from chatd.run import Run
from chatd.settings import LlmSettings
from chatd.store import Store
from chatd.types import Head, Model, Session, User

HOOK = "prepare_prompt"


def size_of(prompt: Prompt) -> int:
    """Return how many bytes of UTF-8 the messages of a prompt have."""
    texts = [message.content for message in prompt.messages]
    return sum(len(t) if t.isascii() else len(t.encode(errors="replace")) for t in texts)


class Prompts:
    """Makes prompts of sessions: the system prompt, and the newest messages that fit beside it.

    Then plugins may replace it, one after the other. One that fails fails the turn: what it was to
    take out of the prompt must not get to a model.
    """

    def __init__(
        self,
        store: Store,
        llm: LlmSettings,
        *,
        most_chars: int,
        plugins: Plugins,
        app: object,
        histories: Histories | None = None,
    ) -> None:
        self._plugins, self._app = plugins, app
        self._calls = plugins.calls(HOOK)
        self._store, self._histories = store, histories or Histories(store)
        self._llm = llm
        self._most_chars = most_chars

    async def make(
        self, run: Run, user: User, head: Head, provider: Provider, model: Model
    ) -> tuple[Provider, Prompt]:
        """Return the prompt for a turn, and who is to be given it; `head` is from its beginning.

        Raises PromptFailed, and GenerationInterrupted while the store is away.
        """
        session = head.session
        room = max(0, self._most_chars - len(session.system_prompt))
        first = [*run.new_messages, run.message][0]
        where = (user.id, session.id, run.new_messages, first.parent_id)
        try:
            history = await self._histories.of_turn(*where, max_chars=room, made=head.made)
        except StoreUnavailable as exc:
            raise GenerationInterrupted from exc
        run.ended.add_done_callback(lambda ended: self._histories.remember(history, ended))
        prompt = self._unprepared(session, model, history.messages)
        prompt = await self.prepared(user, session, prompt)
        run.asked = size_of(prompt)
        return provider, prompt

    async def prepared(self, user: User, session: Session, prompt: Prompt) -> Prompt:
        """Return what the plugins make of a prompt. Raises PromptFailed.

        Also for whoever asks a model beside a turn: a prompt with something of a session in it goes
        to no provider without this.
        """
        for call in self._calls:
            prompt = await self._replaced(call, user, session, prompt)
        return prompt

    def _unprepared(
        self, session: Session, model: Model, history: Iterable[PromptMessage]
    ) -> Prompt:
        messages = list(history)
        if session.system_prompt:
            messages.insert(0, PromptMessage(role="system", content=session.system_prompt))
        settings = {
            "temperature": self._llm.temperature,
            "max_tokens": self._llm.max_tokens,
            "options": {},
        } | {key: value for key, value in session.settings.items() if key != "enable_tools"}
        return Prompt(model=model.name, messages=tuple(messages), settings=settings)

    async def explain(
        self, user: User, session: Session, model: Model, text: str = ""
    ) -> list[tuple[str, Prompt]]:
        """Return the prompt of a turn that says `text`, and what each plugin made of it.

        Each prompt stands with the plugin that returned it, the first with none. Without a text it
        is that of the last question once more. Raises PromptFailed.
        """
        room = max(0, self._most_chars - len(session.system_prompt) - len(text))
        history = list(await self._store.history(user.id, session.id, max_chars=room))
        while history and not text and history[-1].role != "user":
            history.pop()
        if text:
            history.append(PromptMessage(role="user", content=text))
        prompt = self._unprepared(session, model, history)
        made = [("", prompt)]
        for call in self._calls:
            prompt = await self._replaced(call, user, session, prompt)
            made.append((call.plugin, prompt))
        return made

    async def _replaced(self, call: Call, user: User, session: Session, prompt: Prompt) -> Prompt:
        arguments = {"app": self._app, "user": user, "session": session, "prompt": prompt}
        try:
            return await self._plugins.replaced(HOOK, call, arguments, prompt)
        except ChatdError as exc:
            # Its sentence is for the user; its code is one that a failed answer may have.
            error = PromptFailed(exc.message if exc.status < 500 else "")
            error.retryable = exc.retryable
            raise error from exc
