"""The table of modes: how the server behaves for each model name."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from . import faults
from .asks import Ask, Exchange
from .faults import HUGE, SECRET, SURROGATE, Instead, Pieces, Tokens, cut_after, newline, status

__all__ = ["HUGE", "MODES", "SECRET", "SURROGATE", "Mode", "find_mode"]


@dataclass(frozen=True)
class Mode:
    """One way to answer; without any field it is the correct one.

    `pace` is in seconds between tokens and stronger than the server's; a `[pace:MS]` directive is
    stronger still. `tools` says when offered tools are called.
    """

    about: str
    instead: Instead | None = None
    tokens: Callable[[Ask, list[str]], Tokens] | None = None
    pieces: Callable[[Exchange, Pieces], Pieces] | None = None
    tools: Literal["never", "first", "always"] = "never"
    finish: bool = True
    done: bool = True
    pace: float | None = None


CORRECT = Mode("a correct reply")

# `refuse` is one call that gets no answer. A connection that is really refused is a closed port:
# `await server.aclose()`, and `await server.start()` opens the same one again.
MODES: dict[str, Mode] = {
    "tools": Mode("calls tools if any are offered, unless the last message is one's result",
                  tools="first"),
    "tools-forever": Mode("calls tools whenever any are offered", tools="always"),
    "refuse": Mode("closes the connection before any answer", faults.refuse),
    "429": Mode("429", status(429)),
    "429-retry-after": Mode("429 with Retry-After: 1", status(429, retry_after=1)),
    "429-then-ok": Mode("429 with Retry-After: 0, once per last user message, then correct",
                        status(429, retry_after=0, first=1)),
    "503-then-ok": Mode("503 once per last user message, then correct", status(503, first=1)),
    "500-html": Mode("500 with a page of HTML that quotes SECRET", faults.html_error),
    "hang-headers": Mode("accepts and never answers", faults.hang),
    "hang-first": Mode("headers, then nothing", pieces=faults.hang_first),
    "hang-middle": Mode("some tokens, then nothing", tokens=faults.hang_middle),
    "reset-500": Mode("TCP RST after 500 bytes of body; any number", pieces=cut_after(500)),
    "cut-utf8": Mode("correct; pauses inside every long character", pieces=faults.cut_utf8),
    "cut-utf8-end": Mode("5 tokens, then a clean end inside a character and its JSON",
                         tokens=faults.accented, pieces=faults.cut_utf8_end,
                         finish=False, done=False),
    "lone-surrogate": Mode(r"the second delta is ' a\ud800b'", tokens=faults.second(" a\ud800b")),
    "nul": Mode(r"the second delta is ' a\u0000b'", tokens=faults.second(" a\0b")),
    "malformed-sse": Mode("correct but for one event of broken JSON; odd fields, BOM, comments",
                          pieces=faults.malformed),
    "cr": Mode("correct; lines end with CR", pieces=newline(b"\r")),
    "crlf": Mode("correct; lines end with CR LF, the last LF sent alone", pieces=newline(b"\r\n")),
    "no-done": Mode("finish_reason, but no [DONE]", done=False),
    "no-finish": Mode("neither finish_reason nor [DONE]: a clean end", finish=False, done=False),
    "done-only": Mode("[DONE] without finish_reason", finish=False),
    "huge-chunk": Mode("one delta of 300 kB: HUGE", tokens=faults.huge),
    "endless": Mode("never ends", tokens=faults.endless),
    "slow": Mode("500 ms between tokens", pace=0.5),
    "redirect": Mode("307 to another port, where the same call is answered", faults.redirect),
    "error-event": Mode("200, then an error event after some tokens", pieces=faults.error_event),
    "empty": Mode("finishes without a text", tokens=faults.silence),
}  # fmt: skip


def find_mode(name: str, modes: Mapping[str, Mode] = MODES) -> Mode | None:
    """Return the mode of a model name, or None if there is none."""
    if found := re.fullmatch(r"reset-(\d+)", name):
        return Mode(f"TCP RST after {found[1]} bytes of body", pieces=cut_after(int(found[1])))
    return modes.get(name)
