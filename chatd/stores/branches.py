"""What a branch shows: its own messages, and those of its parents up to where it left them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from chatd.types import Kind, Role

LAST = 2**53  # no seq is greater

Branches = Mapping[int, tuple[int, int]]  # branch: (parent branch, seq after which it leaves it)


class Segment(NamedTuple):
    """A run of messages of one branch: those with after < seq <= upto."""

    branch: int
    after: int
    upto: int


def segments(shown: int, branches: Branches) -> Iterator[Segment]:
    """Yield what a branch shows, the newest segment first."""
    branch, upto = shown, LAST
    while branch in branches:
        parent, after = branches[branch]
        yield Segment(branch, after, upto)
        branch, upto = parent, after
    if upto:
        yield Segment(branch, 0, upto)


def kind_of(role: Role, branch: int, *, is_first: bool) -> Kind:
    """Return what a turn was that is found by a message of this role and branch.

    `is_first` says whether the message is the first of its branch.
    """
    if role == "assistant":
        return "regenerate"
    return "edit" if branch and is_first else "send"


def continuations(branch: int, seq: int, branches: Branches) -> list[int]:
    """Return the branches that hold a message, or leave one of these after it."""
    found = {branch}
    for number in sorted(branches):  # a branch has a greater number than the one it leaves
        parent, after = branches[number]
        if parent in found and (parent != branch or after >= seq):
            found.add(number)
    return sorted(found)
