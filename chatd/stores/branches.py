"""What a branch shows: its own messages, and those of its parents up to where it left them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

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
