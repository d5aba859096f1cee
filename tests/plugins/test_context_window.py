"""Prompts that fit what their model can read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from faces import configured
from harness import Script, chatting

import chatd
from plugins.context_window import newest, tokens


def message(role: Any, size: int) -> chatd.PromptMessage:
    """Return a message of so many estimated tokens."""
    return chatd.PromptMessage(role=role, content="x" * (size - 4))


@pytest.mark.parametrize(
    ("room", "kept"),
    [
        (1000, "s u a U A u a L"),
        (100, "s u a U A u a L"),
        (99, "s U A u a L"),
        (50, "s u a L"),
        (49, "s L"),
        (1, "s L"),
    ],
)
def test_the_newest_whole_turns_stay(room: int, kept: str) -> None:
    """The system prompt and the last message stay whatever they are; others while they fit."""
    sizes = {"s": 10, "u": 10, "a": 10, "U": 10, "A": 20, "L": 20}
    roles = {"s": "system", "u": "user", "a": "assistant", "U": "user", "A": "assistant"}
    names = ["s", "u", "a", "U", "A", "u", "a", "L"]
    messages = [message(roles.get(name, "user"), sizes[name]) for name in names]
    wanted = names[-len(kept.split()) + 1 :]
    assert newest(messages, room, 1) == (messages[0], *messages[len(names) - len(wanted) :])


def test_other_prompts() -> None:
    """What begins with an answer, or has nobody's question, is left as it is while it fits."""
    answer, system = message("assistant", 10), message("system", 10)
    assert newest([answer, message("user", 10)], 20, 1)[0] == answer
    assert newest([system], 1, 1) == (system,)
    assert newest([], 1, 1) == ()


def test_tokens_are_estimated_from_bytes() -> None:
    """Three bytes are a token, so that one Chinese sign is one, and each message has four more."""
    texts = {"abcdef": 6, "学习": 6, "": 4}
    for text, count in texts.items():
        assert tokens(chatd.PromptMessage(role="user", content=text), 3) == count


class Small(Script):
    """A model that can read little, and one of which nobody says how much."""

    async def models(self) -> list[chatd.ModelInfo]:
        """Return them."""
        return [chatd.ModelInfo(name="model", context_length=60), chatd.ModelInfo(name="other")]


@pytest.mark.parametrize(
    ("model", "extra", "counts"),
    [
        ("script/model", "", [2, 4, 4]),
        ("script/other", "", [2, 4, 6]),
        ("script/other", "[plugins.context_window]\ndefault_length = 60", [2, 4, 4]),
    ],
)
async def test_a_long_session_goes_on(
    tmp_path: Path, model: str, extra: str, counts: list[int]
) -> None:
    """The oldest turn is left out of a prompt when it no longer fits; the session keeps it."""
    table = f'[plugins]\nenabled = ["auth_token", "context_window"]\n{extra}\n'
    script = Small()
    environ = configured(tmp_path, table)
    async with chatting(tmp_path, script, **environ) as chat:
        await chat.app.models.sync()
        alice = await chat.client("alice")
        session_id = await alice.new_session(
            model=model, system_prompt="be kind", settings={"max_tokens": 20}
        )
        for number in range(3):
            await alice.send(session_id, f"question {number}")
        assert len(await alice.messages(session_id)) == 6
    assert [len(prompt.messages) for prompt in script.prompts] == counts
    assert all(prompt.messages[0].content == "be kind" for prompt in script.prompts)
