"""Values: ids and times."""

from __future__ import annotations

import datetime as dt
import uuid

from chatd.types import Message, new_id, now


def test_ids_are_uuids_of_version_7() -> None:
    """An id is a UUID by RFC 9562, different each time."""
    ids = [uuid.UUID(new_id()) for _ in range(1000)]
    assert {(i.version, i.variant) for i in ids} == {(7, uuid.RFC_4122)}
    assert len(set(ids)) == 1000


def test_ids_hold_their_time() -> None:
    """The first 48 bits are the milliseconds since 1970, so that ids sort by creation."""
    before, made, after = now(), uuid.UUID(new_id()), now()
    assert before.timestamp() * 1000 - 1 <= made.int >> 80 <= after.timestamp() * 1000 + 1


def test_times_are_whole_milliseconds_in_utc() -> None:
    """A time is what every store can keep."""
    time = now()
    assert time.tzinfo is dt.UTC
    assert time.microsecond % 1000 == 0


def test_values_are_changed_by_replace() -> None:
    """A value is never changed; `replace` makes another."""
    time = now()
    first = Message(id="1", session_id="s", role="user", created_at=time, updated_at=time)
    second = first.replace(content="hi")
    assert (first.content, second.content) == ("", "hi")
