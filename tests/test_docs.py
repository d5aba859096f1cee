"""The documentation says what the code does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from chatd.errors import ChatdError, ConfigError

DOCS = Path(__file__).parent.parent / "docs"


def kinds_of(kind: type[ChatdError]) -> Iterator[type[ChatdError]]:
    """Yield a kind of error and all below it that can be on the wire."""
    if kind is not ConfigError:
        yield kind
    for below in kind.__subclasses__():
        yield from kinds_of(below)


def test_every_error_code_is_in_the_table() -> None:
    """The table of codes has a row for every error, with its status, and no other."""
    rows = [
        f"| `{kind.code}` | {kind.status} | {'yes' if kind.retryable else 'no'} |"
        f" {' '.join((kind.__doc__ or '').split())} |"
        for kind in kinds_of(ChatdError)
    ]
    lines = (DOCS / "errors.md").read_text().splitlines()
    assert [line for line in lines if line.startswith("| `")] == rows


def test_a_code_has_one_status() -> None:
    """No two errors share a code, so that a code alone says what happened."""
    codes = [kind.code for kind in kinds_of(ChatdError)]
    assert len(set(codes)) == len(codes)
