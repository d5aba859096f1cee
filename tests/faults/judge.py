"""What must hold through every fault, as a pure function of what was seen and of what was found.

It knows nothing of how a story came about: `judge` reads what clients sent and saw, what the store
had when the faults were over, what the model server was asked, and what the server itself logged
and held, and says what contradicts one of its invariants. docs/faults.md says what each means.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import kept
import shown
import sound
from story import Story

Check = Callable[[Story], Iterator[str]]

INVARIANTS: dict[str, tuple[Check, ...]] = {
    "durable": (kept.kept, kept.acknowledged),
    "unique": (kept.once, kept.repeated, shown.asked_once),
    "terminal": (kept.ended_once, kept.ended_as_seen),
    "ordered": (kept.placed, kept.branch_shown, kept.numbered, kept.told, kept.counted,
                sound.in_order),
    "text as promised": (shown.as_the_model_said, shown.as_shown, shown.old_text),
    "isolated": (sound.isolated, sound.listed, sound.trespassed),
    "bounded": (sound.bounded,),
    "live": (sound.live,),
    "clean logs": (sound.clean_logs, sound.clean_ends),
    "honest": (sound.refused, sound.knows_no_bug),
}  # fmt: skip


def judge(story: Story) -> list[str]:
    """Return what is wrong, with the name of the invariant; nothing if all of them held."""
    return [
        f"{name}: {wrong}"
        for name, checks in INVARIANTS.items()
        for check in checks
        for wrong in check(story)
    ]
