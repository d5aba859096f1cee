"""The parser of server-sent events, against the letter of the specification."""

import itertools
import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from chatd.errors import ProviderError
from chatd.sse import Event, Parser

# What streams are made of, so that random ones are near the edges of the grammar.
FRAGMENTS = [
    *(b"data: {}\n\n", b"data: a\n\ndata: b\n\n", b"data:", b"data", b" ", b":", b": a comment"),
    *(b"\n", b"\n\n", b"\r", b"\r\n", b"\r\n\r\n", b"\xef\xbb\xbf", b"\xef\xbb", b"event: x"),
    *(b"event", b"id: 1", b"id", b"id: a\0b", b"retry: 20", b"retry: x", b"other: y", b"\xc3\xa9"),
    *("\u2028".encode(), "\u0085".encode(), b"\x0b", b"\x0c", b"\x1c"),
]
streams = st.lists(st.sampled_from(FRAGMENTS), max_size=20).map(b"".join)


def by_the_letter(stream):
    """The events of a whole stream, and its retry, in the steps of the specification."""
    events, retry, data, kind, last_id = [], None, b"", "", ""
    *lines, _ = re.split(rb"\r\n|\n|\r", stream.removeprefix(b"\xef\xbb\xbf"))
    for line in lines:
        field, _, value = line.partition(b":")
        value = value[1:] if value[:1] == b" " else value
        if line == b"":
            if data:
                events.append(Event(data[:-1], kind or "message", last_id))
            data, kind = b"", ""
        elif field == b"data":
            data += value + b"\n"
        elif field == b"event":
            kind = value.decode(errors="replace")
        elif field == b"id" and b"\0" not in value:
            last_id = value.decode(errors="replace")
        elif field == b"retry" and value.isdigit():
            retry = int(value)
    return events, retry


def parsed(*reads):
    """The events of a stream that comes in these reads."""
    parser = Parser()
    return [event for read in reads for event in parser.feed(read)]


@settings(deadline=None)
@given(streams)
def test_events_are_those_of_the_specification(stream):
    """Any stream gives the events, and the retry, that the steps of the specification give."""
    parser = Parser()
    events = parser.feed(stream)

    assert (events, parser.retry) == by_the_letter(stream)


@settings(deadline=None)
@given(streams)
@example(b"\xef\xbb\xbfdata: a\r\n\r\ndata: b\r\rdata: c\n\n")
def test_every_split_gives_the_same_events(stream):
    """Cut at any one byte, or at all of them, a stream gives the same events."""
    whole = parsed(stream)

    for cut in range(len(stream) + 1):
        assert parsed(stream[:cut], stream[cut:]) == whole
    assert parsed(*(stream[i : i + 1] for i in range(len(stream)))) == whole


@settings(deadline=None)
@given(streams, st.lists(st.integers(0, 100), max_size=8))
def test_many_splits_give_the_same_events(stream, cuts):
    """Cut at any places, a stream gives the same events."""
    places = sorted({0, *(min(cut, len(stream)) for cut in cuts), len(stream)})
    reads = [stream[a:b] for a, b in itertools.pairwise(places)]

    assert parsed(*reads) == parsed(stream)


@pytest.mark.parametrize("newline", [b"\n", b"\r", b"\r\n"])
def test_an_event_is_there_with_its_last_byte(newline):
    """No event waits for more bytes than its own; the LF of a late CR LF adds nothing."""
    parser = Parser()
    first, second = (b"data: 1\n\n".replace(b"\n", newline), b"data: 2\n\n")

    assert parser.feed(first.removesuffix(b"\n") if newline == b"\r\n" else first) == [Event(b"1")]
    assert parser.feed(b"\n" if newline == b"\r\n" else b"") == []
    assert parser.feed(second.replace(b"\n", newline)) == [Event(b"2")]


@pytest.mark.parametrize(
    ("stream", "events"),
    [
        (b"data: a\n\n", [Event(b"a")]),
        (b"data:a\n\ndata:  b\n\n", [Event(b"a"), Event(b" b")]),
        (b"data: a\ndata:\ndata: b\n\n", [Event(b"a\n\nb")]),
        (b"data\n\ndata\ndata\n\ndata:", [Event(b""), Event(b"\n")]),
        (b": c\n\nevent: x\n\ndata: a\n\n", [Event(b"a")]),
        (b"event: error\ndata: a\n\ndata: b\n\n", [Event(b"a", "error"), Event(b"b")]),
        (b"id: 7\ndata: a\n\ndata: b\n\n", [Event(b"a", id="7"), Event(b"b", id="7")]),
        (b"data: a\n\n\ndata: b\n\n\n", [Event(b"a"), Event(b"b")]),
        (b"\xef\xbb\xbfdata: a\n\n\xef\xbb\xbfdata: b\n\n", [Event(b"a")]),
        ("data: \u2028\u0085\x0b\n\n".encode(), [Event("\u2028\u0085\x0b".encode())]),
    ],
)
def test_examples(stream, events):
    """Fields, comments, line ends and the BOM mean what the specification says."""
    assert parsed(stream) == events


@pytest.mark.parametrize(
    ("stream", "is_unfinished"),
    [
        (b"", False),
        (b"data: a\n\n", False),
        (b"data: a\r\n\r", False),
        (b": comment\n", False),
        (b"data: a\n\nda", True),
        (b"data: a\n", True),
        (b"\xef", True),
    ],
)
def test_an_unfinished_event_is_told(stream, is_unfinished):
    """An event without its empty line is none, and the parser tells that one had begun."""
    parser = Parser()
    parser.feed(stream)

    assert parser.is_unfinished is is_unfinished


@pytest.mark.parametrize("size", [1, 7, 1000])
@pytest.mark.parametrize("stream", [b"data: " + b"x" * 200, b"data: x\n" * 100, b"x" * 200])
def test_a_too_large_event_is_an_error(stream, size):
    """An event or a line over the limit is a ProviderError before its end, however it is cut."""
    parser = Parser(limit=100)

    with pytest.raises(ProviderError, match="too large"):
        for start in range(0, len(stream), size):
            parser.feed(stream[start : start + size])


def test_the_limit_is_for_one_event():
    """A stream, also in one read, may be longer than the limit."""
    parser = Parser(limit=100)

    assert len(parser.feed(b"data: " + b"x" * 80 + b"\n\n")) == 1
    assert len(parser.feed((b"data: " + b"x" * 80 + b"\n\n") * 10)) == 10
