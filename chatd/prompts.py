"""What a provider is given for a turn."""

from __future__ import annotations

from chatd.histories import Histories
from chatd.provider import Prompt, PromptMessage, Provider
from chatd.run import Run
from chatd.settings import LlmSettings
from chatd.store import Store
from chatd.types import Model, Session, User


class Prompts:
    """Makes prompts of sessions: the system prompt, and the newest messages that fit beside it."""

    def __init__(self, store: Store, llm: LlmSettings, *, most_chars: int) -> None:
        self._histories = Histories(store)
        self._llm = llm
        self._most_chars = most_chars

    async def make(
        self, run: Run, user: User, session: Session, provider: Provider, model: Model
    ) -> tuple[Provider, Prompt]:
        """Return the prompt for a turn of a session, and who is to be given it."""
        room = max(0, self._most_chars - len(session.system_prompt))
        first = [*run.new_messages, run.message][0]
        history = await self._histories.of_turn(
            user.id, session.id, run.new_messages, first.parent_id, max_chars=room
        )
        run.ended.add_done_callback(lambda ended: self._histories.remember(history, ended))
        messages = list(history.messages)
        if session.system_prompt:
            messages.insert(0, PromptMessage(role="system", content=session.system_prompt))
        settings = {
            "temperature": self._llm.temperature,
            "max_tokens": self._llm.max_tokens,
            "options": {},
        } | {key: value for key, value in session.settings.items() if key != "enable_tools"}
        return provider, Prompt(model=model.name, messages=tuple(messages), settings=settings)
