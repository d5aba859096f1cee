"""What becomes of the pieces of a reply."""

from __future__ import annotations

import contextlib
import sqlite3
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatd.errors import ProviderError
from chatd.gathering import Gathering, is_count, is_word, mended
from chatd.provider import Finish, Reasoning, ToolCall
from chatd.types import Usage

# Like text(), but with surrogates, of which each may find its other half or not.
anything = st.text(st.one_of(st.characters(), st.sampled_from("\ud83d\ude42\ud800\udfff\0a")))


@settings(deadline=None)
@given(anything)
def test_mended_text_can_be_stored(text: str) -> None:
    """Whatever a model says can be encoded and kept, and is not made longer."""
    result = mended(text)

    assert result.encode().decode() == result
    assert "\0" not in result
    assert len(result) <= len(text)
    with contextlib.closing(sqlite3.connect(":memory:")) as store:
        assert store.execute("select ?", (result,)).fetchone() == (result,)


@settings(deadline=None)
@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])))
def test_good_text_is_not_changed(text: str) -> None:
    """Text without NUL and surrogates stays as it is."""
    assert mended(text) == text


@settings(deadline=None)
@given(st.lists(anything, max_size=10))
def test_pieces_are_joined_as_if_they_came_at_once(pieces: list[str]) -> None:
    """A text is the same however it was cut, also inside a surrogate pair."""
    gathering = Gathering()
    chunks: list[Any] = []
    for piece in pieces:
        gathering.add(piece)
        chunks += gathering.take()
    chunks += gathering.end()

    assert "".join(chunks) == mended("".join(pieces))


def test_order_is_kept() -> None:
    """Neighbours of one kind are one chunk; text and reasoning do not pass each other."""
    gathering = Gathering()
    for text, is_reasoning in [("a", True), ("b", True), ("c", False), ("d", True), ("e", False)]:
        gathering.add(text, is_reasoning=is_reasoning)

    assert gathering.take() == [Reasoning(text="ab"), "c", Reasoning(text="d"), "e"]
    assert gathering.take() == []


def test_the_end_comes_in_order() -> None:
    """Text, tool calls, usage and the finish come in this order."""
    gathering = Gathering()
    gathering.add_finish("tool_calls")
    gathering.add_usage({"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3, "x": {}})
    gathering.add_call(0, id="", name="na", arguments="{")
    gathering.add_call(0, id="", name="me", arguments="\0}")
    gathering.add("text")

    assert gathering.is_finished
    assert gathering.end() == [
        "text",
        ToolCall(id="call_0", name="name", arguments="{\ufffd}"),
        Usage(prompt_tokens=1, completion_tokens=2, total_tokens=3),
        Finish(reason="tool_calls"),
    ]


def test_a_reply_without_an_end() -> None:
    """A reply that told nothing ends with nothing."""
    gathering = Gathering()

    assert not gathering.is_finished
    assert gathering.end() == []


def test_tool_calls_are_bounded() -> None:
    """Parts of calls that never end are an error before they fill the memory."""
    gathering = Gathering()

    with pytest.raises(ProviderError, match="too large"):
        while True:
            gathering.add_call(0, id="x", name="", arguments="x" * 10_000)


@pytest.mark.parametrize("value", [-1, 2**53, 1.5, True, None, "1", [1]])
def test_what_is_no_count(value: Any) -> None:
    """A number that a store may refuse is none."""
    assert not is_count(value)


@pytest.mark.parametrize("value", ["", "a\0", "a\n", "\ud800", "x" * 256, None, 5])
def test_what_is_no_word(value: Any) -> None:
    """A name that cannot be shown on one line is none."""
    assert not is_word(value)


def test_good_values() -> None:
    """Usual names and numbers are good."""
    assert is_word("org/model:7b-q4 (new) é")
    assert is_count(0)
    assert msgspec.json.encode(2**53 - 1) == b"9007199254740991"
