"""Sessions of files become sessions of a store, whatever tree their messages are."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_import_formats import CONFIG, PLANTER, shown

from chatd.transfer.trees import Planter, Refused, Tree
from chatd.types import Message, Session, Usage

NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


def a_message(name: str, parent: str | None = None, **fields: object) -> Message:
    """Return a message that says its name."""
    values = {"role": "user", "content": name, "created_at": NOW, "updated_at": NOW} | fields
    return Message(id=name, session_id="s", parent_id=parent, **values)  # type: ignore[arg-type]


def a_tree(*messages: Message, **fields: object) -> Tree:
    """Return a session of chatd's with these messages."""
    values = {"id": "s", "created_at": NOW, "updated_at": NOW} | fields
    return Tree("chatd", "here", Session(**values), messages)  # type: ignore[arg-type]


@settings(deadline=None)
@given(st.data())
def test_any_tree_shows_any_branch(data: st.DataObject) -> None:
    """The shown branch is the way to the head, then the first answers; all have valid numbers."""
    parents: list[int | None] = []
    for number in range(data.draw(st.integers(1, 12))):
        parents.append(data.draw(st.none() | st.integers(0, number - 1)) if number else None)
    head = data.draw(st.integers(0, len(parents) - 1))
    messages = [
        a_message(str(n), None if parent is None else str(parent), seq=n + 1)
        for n, parent in enumerate(parents)
    ]
    messages = data.draw(st.permutations(messages))

    found = PLANTER.plant(a_tree(*messages, head_id=str(head)), "u", keep_ids=True)

    way: list[int] = []
    step: int | None = head
    while step is not None:
        way.insert(0, step)
        step = parents[step]
    while (head := next((n for n, p in enumerate(parents) if p == way[-1]), -1)) >= 0:
        way.append(head)
    assert shown(found) == [str(n) for n in way]
    assert found.session.session.head_id == str(way[-1])
    assert [stored.message.seq for stored in found.messages] == list(range(1, len(parents) + 1))
    assert found.session.seq == found.session.revision == len(parents)


def test_numbers_are_kept_where_they_are_valid() -> None:
    """Seqs and revisions with gaps stay; those that cannot be are given anew."""
    for seqs, revisions, kept in (
        ((1, 4), (7, 3), True),
        ((0, 0), (0, 0), False),
        ((2**60, 2**60 + 1), (-1, 5), False),
    ):
        messages = [
            a_message(str(n), seq=seq, revision=revision)
            for n, (seq, revision) in enumerate(zip(seqs, revisions, strict=True))
        ]
        found = PLANTER.plant(a_tree(*messages), "u", keep_ids=True)
        expected = (seqs, revisions) if kept else ((1, 2), (1, 2))
        assert tuple(stored.message.seq for stored in found.messages) == expected[0]
        assert tuple(stored.message.revision for stored in found.messages) == expected[1]
        assert found.session.revision == max(expected[1])


def test_ids_that_are_changed_stay_together() -> None:
    """With other ids answers still have their questions', and a generation its answer's."""
    tree = a_tree(
        a_message("q", generation_id="g"),
        a_message("g", "q", role="assistant", generation_id="g", usage=Usage(total_tokens=5)),
        head_id="g",
    )

    found = PLANTER.plant(tree, "u", keep_ids=False)

    question, answer = (stored.message for stored in found.messages)
    assert {question.id, answer.id}.isdisjoint({"q", "g"})
    assert answer.parent_id == question.id
    assert question.generation_id == answer.generation_id == answer.id
    assert found.session.session.head_id == answer.id
    assert question.session_id == found.session.session.id != "s"
    assert found.session.total_tokens == 5


def test_what_streamed_is_interrupted() -> None:
    """A message that streamed when it was exported has an end, as after a crash."""
    streaming = a_message("half", role="assistant", status="streaming")

    found = PLANTER.plant(a_tree(streaming), "u", keep_ids=True)

    (stored,) = found.messages
    assert stored.message.status == "interrupted"
    assert stored.message.content == "half"
    assert stored.message.error is not None
    assert stored.message.updated_at == NOW


def test_times_are_as_stores_keep_them() -> None:
    """Times come in any zone, or none, and with microseconds; they are kept in UTC, without."""
    east = dt.timezone(dt.timedelta(hours=2))
    for time in (dt.datetime(2026, 1, 1, 2, 0, 0, 999, east), dt.datetime(2026, 1, 1)):
        found = PLANTER.plant(a_tree(a_message("x", created_at=time)), "u", keep_ids=True)
        assert found.session.session.last_message_at == NOW
        assert found.session.first_message_at == NOW


@pytest.mark.parametrize(
    ("tree", "reason"),
    [
        (a_tree(a_message("x" * 100_001)), "has 100,001 characters: raise .limits. message_chars"),
        (a_tree(title="x" * 201), "title: Length must be between 0 and 200"),
        (a_tree(settings={"options": {"api_base": "x"}}), "settings.options.api_base"),
        (a_tree(settings={"temperature": 3}), "settings.temperature"),
        (a_tree(metadata={"a": 2**60}), "an integer is beyond"),
        (a_tree(metadata={"a": float("nan")}), "too large"),
        (a_tree(id="x" * 129), "an id has 1 to 128 characters"),
        (a_tree(a_message("", role="user", client_id="")), "an id has 1 to 128 characters"),
        (a_tree(version=2**60), "an integer is beyond"),
        (a_tree(a_message("a", model="m" * 201)), "model is too long"),
        (a_tree(a_message("a", usage=Usage(total_tokens=2**60))), "numbers that are no counts"),
        (a_tree(a_message("a", parts=[{"text": "x" * 3_000_000}])), "is larger than 3,000,000"),
        (a_tree(a_message("a"), a_message("a")), "two messages have the same id"),
        (a_tree(a_message("a", "b"), a_message("b", "a")), "answer each other in a circle"),
    ],
)
def test_what_no_client_could_have_sent(tree: Tree, reason: str) -> None:
    """What the server refuses from a client it refuses from a file, with the reason."""
    with pytest.raises(Refused, match=reason):
        PLANTER.plant(tree, "u", keep_ids=True)


def test_limits_are_the_configurations() -> None:
    """Without limits a long text is kept."""
    limits = CONFIG.limits.replace(message_chars=0)
    planter = Planter(limits, CONFIG.models.option_keys)
    assert planter.plant(a_tree(a_message("x" * 128)), "u", keep_ids=True).messages
