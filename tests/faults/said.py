"""What the model server says to a prompt in each of its modes, and how a turn with it may end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from story import Message, Prompt

from scripts.llm import HUGE, MODES, REASONING, reply_to, tokens
from scripts.llm.replies import directives

REPLY_BYTES = 40_000  # the limit that servers of the long set have
MENDED = " a\ufffdb"  # how " a\0b" and a lone surrogate are stored
COMPLETE = "complete"

# How a turn ends in modes that fail: the message's status, and its error's code. Some may also
# succeed: a reset after 500 bytes does not reach a shorter reply.
FAILURES = {
    "refuse": "provider_unavailable",
    "429": "provider_busy",
    "429-retry-after": "provider_busy",
    "500-html": "provider_error",
    "hang-headers": "provider_timeout",
    "hang-first": "provider_timeout",
    "hang-middle": "provider_timeout",
    "reset-500": "provider_unavailable",
    "cut-utf8-end": "provider_interrupted",
    "malformed-sse": "provider_error",
    "no-finish": "provider_interrupted",
    "redirect": "provider_error",
    "error-event": "provider_error",
}
# In these the first attempt fails so and the next one does not. There is none, and the answer ends
# so, where the model server was away for the attempts before.
AT_FIRST = {"429-then-ok": "provider_busy", "503-then-ok": "provider_unavailable"}
RETRIED = {"refuse", "429", "429-retry-after", "429-then-ok", "503-then-ok"}
MOST_CALLS = 3


@dataclass(frozen=True)
class Said:
    """The text that came at most, the code of the failure if it fails, and the calls that it takes.

    `is_endless` means that the text goes on, and is complete wherever the limit cuts it.
    """

    text: str
    code: str = ""
    calls: int = 1
    is_endless: bool = False

    def is_whole(self, text: str) -> bool:
        """Whether this is the text of a complete answer."""
        if self.is_endless:
            # A character is not cut; the reasoning before the text counts too.
            least = REPLY_BYTES - 4 - len(REASONING.encode())
            return self.text.startswith(text) and len(text.encode()) > least
        return not self.code and text == self.text


def said(prompt: Prompt) -> Said:
    """Return what the model server says to a prompt."""
    mode = mode_of(prompt)
    reply = reply_to(prompt)
    words = tokens(reply)
    calls = MOST_CALLS if mode in RETRIED else 1
    code = FAILURES.get(mode, "")
    match mode:
        case "endless":
            times = REPLY_BYTES // max(len(reply.encode()), 1) + 1
            return Said(reply * times, is_endless=True)
        case "huge-chunk":
            return Said(HUGE, is_endless=True)
        case "nul" | "lone-surrogate":
            return Said("".join([*words[:1], MENDED, *words[1:]]))
        case "empty":
            return Said("")
        case "cut-utf8-end":
            return Said("".join(words[:5]) + " ", code)
    return Said(reply, code, calls)


def mode_of(prompt: Prompt | list[dict[str, Any]]) -> str:
    """Return the mode that a prompt asks for; empty for the correct one."""
    return directives(prompt).mode or ""


def may_fail(text: str) -> bool:
    """Whether a turn with this text may end otherwise than complete."""
    return mode_of([{"role": "user", "content": text}]) in FAILURES


def is_explained(answer: Message, mode: str, *, was_away: bool) -> bool:
    """Whether a mode explains how an answer has failed; the model server may have been away."""
    code = (answer["error"] or {}).get("code")
    status = "interrupted" if code == "provider_interrupted" else "error"
    codes = {FAILURES.get(mode)} | ({AT_FIRST.get(mode)} if was_away else set())
    return answer["status"] == status and code is not None and code in codes


# Those that hang are as often as the others, taken together: each costs seconds.
HANGING = {"hang-headers", "hang-first", "hang-middle"}
MODE_NAMES = sorted(MODES.keys() - {"tools", "tools-forever"} - HANGING)
