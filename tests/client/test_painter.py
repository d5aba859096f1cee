"""Markdown that is drawn while it comes."""

from __future__ import annotations

import io
import re

import pytest
from rich.console import Console

from chatd.cli.painter import Painter, complete_blocks, printable

REPLY = """# A heading

A paragraph of some words that is longer than one line of the terminal has columns, and then some.

1. one
2. two

   still two

```python
def f():

    return "```"
```

| a | b |
|---|---|
| 1 | 2 |

The *end*.
"""


@pytest.mark.parametrize(
    ("text", "tail"),
    [
        ("", ""),
        ("one", "one"),
        ("one\n\n", "one\n\n"),
        ("one\n\ntwo", "two"),
        ("one\n\ntwo\n\n\nthree", "three"),
        ("- one\n\n  still one", "- one\n\n  still one"),
        ("```\na\n\nb", "```\na\n\nb"),
        ("```\na\n\nb\n```\n\nc", "c"),
        ("````\n```\n\nb\n```\n\nc", "````\n```\n\nb\n```\n\nc"),
    ],
)
def test_where_a_block_is_complete(text: str, tail: str) -> None:
    """At an empty line behind which another block begins; never inside a fence or an item."""
    blocks = complete_blocks(text)
    assert all(blocks)
    assert text == "".join([*blocks, tail])


class Screen(io.StringIO):
    """A terminal, as far as the painter uses one. It counts what is written to it."""

    def __init__(self) -> None:
        super().__init__()
        self.lines, self.row, self.count = [""], 0, 0

    def write(self, text: str) -> int:
        """Carry out what is written."""
        self.count += len(text)
        for part in re.findall(r"\x1b\[[0-9;]*[A-Za-z]|\n|\r|[^\x1b\n\r]+", text):
            if part == "\n":
                self.row += 1
                if self.row == len(self.lines):
                    self.lines.append("")
            elif part == "\r":
                self.lines[self.row] = ""  # every line is written whole
            elif part.startswith("\x1b") and part.endswith("A"):
                self.row -= int(part[2:-1])
                assert self.row >= 0
            elif part.startswith("\x1b") and part.endswith("J"):
                del self.lines[self.row :]
                self.lines.append("")
            elif not part.startswith("\x1b"):
                self.lines[self.row] += part
        return len(text)


def draw(pieces: list[str]) -> Screen:
    """Return the screen when a reply has come in pieces."""
    screen = Screen()
    console = Console(file=screen, force_terminal=True, width=60, height=24)
    with Painter(console, frame=0) as drawing:
        drawing.note("…")
        for piece in pieces:
            drawing.note("")
            drawing.add(piece)
        drawing.note("connection lost")
    return screen


@pytest.mark.parametrize("size", [1, 3, 7, 50, 1000])
def test_the_pieces_do_not_matter(size: int) -> None:
    """In whatever pieces a reply comes, the same stands there in the end, and no note."""
    pieces = [REPLY[start : start + size] for start in range(0, len(REPLY), size)]
    assert draw(pieces).lines == draw([REPLY]).lines
    shown = "\n".join(draw(pieces).lines)
    assert "The end." in shown
    assert "connection lost" not in shown
    assert 'return "```"' in shown


def test_what_is_complete_is_not_drawn_again() -> None:
    """A long reply in single words writes little more than itself, and its changed lines."""
    pieces = re.findall(r"\s*\S+|\s+", ("Some words of a paragraph.\n\n" * 50))
    screen = draw(pieces)
    assert screen.count < 12 * sum(map(len, pieces))


def test_a_block_longer_than_the_terminal() -> None:
    """Only its end is drawn while it grows; in the end all of it stands there, once."""
    pieces = ["```\n", *(f"line {number}\n" for number in range(100)), "```\n"]
    lines = [line.strip() for line in draw(pieces).lines]
    assert [line for line in lines if line] == [f"line {number}" for number in range(100)]


def test_a_model_cannot_command_the_terminal() -> None:
    """Escapes and other control characters are dropped; line ends and tabs stay."""
    assert printable("a\x1b[2J\x9b2Jb\r\n\tc\x07\x7f") == "a[2J2Jb\n\tc"


def test_what_is_no_terminal_gets_the_text_as_it_is() -> None:
    """Not a byte more than the reply, and a line end behind it."""
    file = io.StringIO()
    with Painter(Console(file=file)) as drawing:
        drawing.note("…")
        drawing.add("**as** ")
        drawing.add("it is")
    assert file.getvalue() == "**as** it is\n"
