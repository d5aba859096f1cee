"""A reply on a terminal, as Markdown, while it comes.

Blocks that are complete are printed once and left alone. Only the last one is drawn again when it
grows, from its first line that changed on, in one write: nothing flickers, and what scrolls away is
never touched.
"""

from __future__ import annotations

import re
import time
from typing import Self

from rich.console import Console
from rich.markdown import Markdown
from rich.text import Text

FRAME = 0.04  # seconds that a drawing stands at least; text that comes meanwhile is drawn at once
FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
# What a model says is no instruction to a terminal: all control characters but these two.
CONTROL = {code: None for code in (*range(32), *range(127, 160)) if chr(code) not in "\n\t"}


def printable(text: str) -> str:
    """Return text without what could move a terminal's cursor, colour it or name its window."""
    return text.translate(CONTROL)


def complete_blocks(text: str) -> list[str]:
    """Return the complete blocks of Markdown at the start of a text.

    A block ends at an empty line outside of a fence that something follows which is not indented.
    """
    blocks: list[str] = []
    start = place = 0
    fence, was_empty = "", False
    for line in text.splitlines(keepends=True):
        if was_empty and not fence and line.strip() and not line[0].isspace():
            blocks.append(text[start:place])
            start = place
        found = FENCE.match(line)
        if found and (not fence or line.strip().startswith(fence)):
            fence = "" if fence else found[1]
        was_empty = not line.strip()
        place += len(line)
    return blocks


class Painter:
    """Draws one reply, to be entered by `with`; what is not a terminal gets the text as it is."""

    def __init__(self, console: Console, *, frame: float = FRAME) -> None:
        self._console, self._frame = console, frame
        self._is_live = console.is_terminal and not console.is_dumb_terminal
        self._tail = self._note = ""
        self._drawn: list[str] = []
        self._has_printed = self._ends_line = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._note = ""
        if self._is_live:
            self._settle([self._tail])
        elif self._has_printed and not self._ends_line:
            self._console.file.write("\n")
        self._console.file.flush()

    def add(self, text: str) -> None:
        """Add to the reply."""
        if not self._is_live:
            self._has_printed = self._has_printed or bool(text)
            self._ends_line = text.endswith("\n") if text else self._ends_line
            self._console.file.write(printable(text) if self._console.is_terminal else text)
            self._console.file.flush()
            return
        self._tail += printable(text)
        self._settle(complete_blocks(self._tail))
        self._draw()

    def note(self, text: str) -> None:
        """Show a line below the reply, until the next or the end; an empty one removes it."""
        if self._is_live and text != self._note:
            self._note = text
            self._draw()

    def _settle(self, blocks: list[str]) -> None:
        """Print what is complete for good, in the place of its drawing."""
        for block in blocks:
            self._tail = self._tail[len(block) :]
            lines = self._separated(self._lines(block)) if block.strip() else []
            self._put(lines)
            self._drawn, self._has_printed = [], self._has_printed or bool(lines)

    def _separated(self, lines: list[str]) -> list[str]:
        return ["", *lines] if self._has_printed else lines

    def _draw(self) -> None:
        lines = self._separated(self._lines(self._tail)) if self._tail.strip() else []
        if self._note:
            lines += self._rendered(Text(self._note, style="dim", no_wrap=True))
        # Lines that have scrolled away cannot be drawn over.
        self._put(lines[-max(1, self._console.height - 2) :])
        time.sleep(self._frame)

    def _lines(self, text: str) -> list[str]:
        return self._rendered(Markdown(text.strip("\n"), hyperlinks=False))

    def _rendered(self, renderable: Markdown | Text) -> list[str]:
        with self._console.capture() as capture:
            # One column less: a full line would leave the cursor on it.
            self._console.print(renderable, width=max(20, self._console.width - 1))
        return [line.rstrip() for line in capture.get().rstrip("\n").split("\n")]

    def _put(self, lines: list[str]) -> None:
        """Draw lines over those that stand there."""
        same = 0
        while same < min(len(lines), len(self._drawn)) and lines[same] == self._drawn[same]:
            same += 1
        up = len(self._drawn) - same
        written = f"\x1b[{up}A" if up else ""
        written += "".join(f"\r{line}\x1b[0m\x1b[K\n" for line in lines[same:])
        if len(lines) < len(self._drawn):
            written += "\x1b[J"
        self._drawn = lines
        if written:
            self._console.file.write(written)
            self._console.file.flush()
