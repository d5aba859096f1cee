"""What other programs export, as it stands in the store afterwards."""

from __future__ import annotations

import contextlib
import datetime as dt
import gzip
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatd.config import Config
from chatd.errors import ConfigError
from chatd.store.transfer import Conversation
from chatd.stores.branches import segments
from chatd.transfer.files import Problem, _conversations, opened
from chatd.transfer.trees import Planter, Refused, Tree
from chatd.types import Usage

FILES = Path(__file__).parent / "imports"
CONFIG = Config()
PLANTER = Planter(CONFIG.limits, CONFIG.models.option_keys)


def read(path: Path) -> list[Tree | Problem]:
    """Return what a file holds."""
    with opened(path) as source:
        return list(source.records)


def planted(path: Path) -> list[Conversation]:
    """Return what a file becomes."""
    trees = read(path)
    assert all(isinstance(tree, Tree) for tree in trees), trees
    return [PLANTER.plant(tree, "alice", keep_ids=False) for tree in trees]  # type: ignore[arg-type]


def shown(conversation: Conversation) -> list[str]:
    """Return the texts of the branch that is shown."""
    found = {}
    record = conversation.session
    for segment in segments(record.branch, record.branches):
        for stored in conversation.messages:
            message = stored.message
            if stored.branch == segment.branch and segment.after < message.seq <= segment.upto:
                found[message.seq] = message.content
    return [found[seq] for seq in sorted(found)]


def by_text(conversation: Conversation) -> dict[str, Any]:
    """Return the messages by what they say."""
    return {stored.message.content: stored.message for stored in conversation.messages}


def written(tmp_path: Path, value: Any, name: str = "file.json") -> Path:
    """Write a file of JSON; bytes as they are."""
    path = tmp_path / name
    path.write_bytes(value if isinstance(value, bytes) else json.dumps(value).encode())
    return path


def test_chatgpt() -> None:
    """The tree is kept, hidden nodes are not; what model and tools did for an answer is one."""
    (found,) = planted(FILES / "chatgpt.json")

    session, messages = found.session.session, by_text(found)
    assert session.title == "Export test"
    assert session.created_at == dt.datetime(2024, 3, 5, 16, 0, 0, 123000, dt.UTC)
    assert session.last_message_at == dt.datetime(2024, 3, 5, 16, 1, 42, tzinfo=dt.UTC)
    assert session.metadata["imported_model"] == "gpt-4o"
    assert shown(found) == ["[image]\n\nWhat is in this picture?", "A cat."]
    assert messages["A dog."].parent_id == messages["A cat."].parent_id
    answer = messages["It is 42."]
    assert answer.model == "gpt-4o"
    assert [part["type"] for part in answer.parts] == [
        *("reasoning", "tool_call", "tool_result", "text")
    ]
    assert answer.parts[1]["arguments"] == '{"input":"6*7"}'
    assert answer.parts[2]["result"] == "42"
    assert session.head_id == messages["A cat."].id
    assert (found.session.user_messages, found.session.assistant_messages) == (2, 3)
    assert dict(found.session.models) == {"gpt-4o": 3}


def test_claude() -> None:
    """Blocks become text, reasoning and tool calls; attachments stand behind the text."""
    found, flat = planted(FILES / "claude.json")

    messages = by_text(found)
    question = "Which one?\n\n[notes.txt]\nFew rows.\n\n[plan.png]"
    assert shown(found) == [question, "MongoDB, on second thought."]
    assert messages["Why?"].parent_id == messages["Postgres."].id
    assert [part["type"] for part in messages["Postgres."].parts] == [
        *("reasoning", "tool_call", "tool_result", "text")
    ]
    assert messages["Postgres."].parts[1]["arguments"] == '{"query":"postgres"}'
    assert messages["Postgres."].parts[2]["result"] == "found"
    assert shown(flat) == ["Hello!", "Hi."]
    assert flat.session.session.title == ""


def test_open_webui() -> None:
    """The tree, the system prompt, costs and failures are kept."""
    (found,) = planted(FILES / "open_webui.json")

    messages = by_text(found)
    assert found.session.session.system_prompt == "Be brief."
    assert shown(found) == ["Hello, how are you?", "I'm doing well, thank you!"]
    assert messages["I'm doing well, thank you!"].usage == Usage(
        prompt_tokens=12, completion_tokens=8, total_tokens=20
    )
    assert found.session.total_tokens == 20
    assert messages[""].status == "error"
    assert messages[""].error["message"] == "Connection refused"


def test_ids_are_always_the_same() -> None:
    """Read again, a conversation has the ids it had; for another user it has others."""
    first, again = planted(FILES / "chatgpt.json"), planted(FILES / "chatgpt.json")
    assert first == again
    (tree,) = read(FILES / "chatgpt.json")
    assert isinstance(tree, Tree)
    bobs = PLANTER.plant(tree, "bob", keep_ids=False)
    ids = {stored.message.id for stored in bobs.messages}
    assert ids.isdisjoint(stored.message.id for stored in first[0].messages)


@pytest.mark.parametrize("form", ["gzip", "zip", "several", "one object", "bom"])
def test_however_it_is_packed(tmp_path: Path, form: str) -> None:
    """A file is known by what is in it: packed, in a zip, in several parts, without a list."""
    raw = (FILES / "claude.json").read_bytes()
    values = json.loads(raw)
    path, expected = tmp_path / "any name", len(values)
    if form == "gzip":
        path.write_bytes(gzip.compress(raw))
    elif form == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("data/conversations.json", raw)
            archive.writestr("users.json", "[]")
    elif form == "several":
        with zipfile.ZipFile(path, "w") as archive:
            for number, value in enumerate(values):
                archive.writestr(f"conversations-00{number}.json", json.dumps([value]))
    elif form == "one object":
        expected = 1
        path.write_bytes(json.dumps(values[0], indent=2).encode())
    else:
        path.write_bytes(b"\xef\xbb\xbf " + raw)

    assert len(planted(path)) == expected


def test_broken_records_are_named(tmp_path: Path) -> None:
    """A record that cannot be kept is told by its place and reason; the others are there."""
    (good,) = json.loads((FILES / "open_webui.json").read_text())
    circle = json.loads(json.dumps(good))
    circle["chat"]["history"]["messages"]["message-id-1"]["parentId"] = "message-id-2"
    strange = {"uuid": "x", "chat_messages": [{"sender": "narrator"}]}
    empty = {"id": "e", "mapping": {"a": {"parent": None}}}
    twins = {"chat_messages": [{"uuid": "a", "sender": "human", "text": "x"}] * 2}
    spiral = {"mapping": {"a": {"parent": "b"}, "b": {"parent": "a"}}}
    path = written(tmp_path, [circle, 5, strange, {"a": 1}, empty, good, twins, spiral])

    found = read(path)

    reasons = {one.place: one.reason for one in found if isinstance(one, Problem)}
    assert reasons == {
        "record 1": "messages answer each other in a circle",
        "record 2": "it has the shape of no conversation that chatd knows: 5",
        "record 3": "message 1 is of an unknown sender",
        "record 4": 'it has the shape of no conversation that chatd knows: {"a": 1}',
        "record 5": "nothing is said in it",
        "record 7": "two messages have the same id",
        "record 8": "nodes are each other's parents in a circle",
    }
    assert isinstance(found[5], Tree)


def test_what_no_store_can_keep_is_replaced(tmp_path: Path) -> None:
    """NUL, halves of characters and bytes that are not UTF-8 do not stop an import."""
    message = b'{"uuid":"a","sender":"human","text":"a\\u0000b\\ud800c\xffd"}'
    path = written(tmp_path, b'[{"name":"\\u0000","chat_messages":[' + message + b"]}]")

    (found,) = planted(path)

    text = found.messages[0].message.content
    assert "\0" not in text
    text.encode()
    assert (text[0], text[2], text[-3:]) == ("a", "b", "c\ufffdd")
    assert found.session.session.title == "\ufffd"


def test_a_file_that_ends_too_early(tmp_path: Path) -> None:
    """What came before the end is kept, and the rest is reported."""
    raw = (FILES / "claude.json").read_bytes()
    for cut in (written(tmp_path, raw[:-200]), written(tmp_path, gzip.compress(raw)[:-9])):
        *found, last = read(cut)
        assert all(isinstance(tree, Tree) for tree in found)
        assert isinstance(last, Problem)
        assert last.reason.startswith("the file cannot be read from here on")
        assert "^" not in last.reason


@pytest.mark.parametrize(
    ("raw", "sentence"),
    [
        (b"", "none of the files that can be imported"),
        (b"hello", "none of the files that can be imported"),
        (b"PK\x03\x04 no zip", "is a zip file that cannot be read"),
        (b"\x1f\x8b no gzip", "cannot be unpacked"),
        (b'{"format":"chatd","version":2}\n', "it has version 2 of the format"),
    ],
)
def test_files_of_no_use(tmp_path: Path, raw: bytes, sentence: str) -> None:
    """A file that is something else is refused with a sentence."""
    with pytest.raises(ConfigError, match=sentence):
        read(written(tmp_path, raw))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=2), inner),
    max_leaves=4,
)


@settings(deadline=None, max_examples=150)
@given(st.data())
def test_no_value_brings_a_reader_down(data: st.DataObject) -> None:
    """Whatever stands in place of what is expected: a session comes of it, or a reason."""
    file = data.draw(st.sampled_from(["chatgpt", "claude", "open_webui"]))
    value = json.loads((FILES / f"{file}.json").read_text())[0]
    for _ in range(data.draw(st.integers(1, 3))):
        place: Any = value
        while isinstance(place, dict | list) and place:
            keys = sorted(place) if isinstance(place, dict) else range(len(place))
            key = data.draw(st.sampled_from(keys))
            if not isinstance(place[key], dict | list) or data.draw(st.integers(0, 4)) == 0:
                place[key] = data.draw(JSON)
                break
            place = place[key]
    found = list(_conversations(io.BytesIO(msgspec.json.encode([value])), "record"))
    for tree in found:
        if isinstance(tree, Tree):
            with contextlib.suppress(Refused):
                assert PLANTER.plant(tree, "u", keep_ids=False).messages


LEVELS = b"[" * 50_000 + b"]" * 50_000
CLAUDE = b'{"uuid":"%s","chat_messages":[{"uuid":"a","sender":"human",%s}]}'


@pytest.mark.parametrize(
    "strange",
    [LEVELS, CLAUDE % (b"x", b'"content":[{"type":"tool_use","input":' + LEVELS + b"}]")],
)
def test_very_many_levels(tmp_path: Path, strange: bytes) -> None:
    """What has too many levels to be read costs itself alone."""
    good = CLAUDE % (b"good", b'"text":"hi"')
    problem, tree = read(written(tmp_path, b"[" + strange + b"," + good + b"]"))
    assert problem == Problem("record 1", "it has too many levels")
    assert isinstance(tree, Tree)


@pytest.mark.parametrize("time", ["0001-01-01T00:00:00+05:00", "9999-12-31T23:59:59-05:00"])
def test_the_ends_of_the_calendar(tmp_path: Path, time: str) -> None:
    """A time that is none in UTC is taken for one."""
    raw = CLAUDE % (b"x", b'"text":"hi","created_at":"' + time.encode() + b'"')
    (found,) = planted(written(tmp_path, raw))
    assert found.messages[0].message.created_at == dt.datetime.fromisoformat(time[:19] + "Z")


HEAD = '{"format":"chatd","version":1}\n{"user":{"name":"alice"}}\n'
AT = '"created_at":"2024-01-01T00:00:00Z","updated_at":"2024-01-01T00:00:00Z"'


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ('"client_id":"c"', "two messages have the same client_id"),
        ('"usage":{"prompt_tokens":-1}', "message 1 counts tokens by numbers that are no counts"),
        (f'"usage":{{"prompt_tokens":{2**52}}}', "its messages count more tokens than a store can"),
    ],
)
def test_what_no_store_can_hold_is_refused(tmp_path: Path, fields: str, reason: str) -> None:
    """A session that would not be what a store holds is told by its reason."""
    lines = [f'{{"session":{{"id":"s",{AT}}}}}\n', '{"end":{}}\n']
    lines[1:1] = [
        f'{{"message":{{"id":"{n}","session_id":"s","role":"user",{AT},{fields}}}}}\n'
        for n in (1, 2)
    ]
    (tree,) = read(written(tmp_path, (HEAD + "".join(lines)).encode()))
    assert isinstance(tree, Tree)
    with pytest.raises(Refused, match=reason):
        PLANTER.plant(tree, "alice", keep_ids=True)
