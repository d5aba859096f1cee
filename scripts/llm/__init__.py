"""A model server that says what a test can compute, and fails in every way a real one does."""

from .calls import Call
from .kinds import KINDS
from .modes import HUGE, MODES, SECRET, SURROGATE
from .replies import REASONING, reply_to, tokens
from .server import LlmServer

__all__ = [
    "HUGE",
    "KINDS",
    "MODES",
    "REASONING",
    "SECRET",
    "SURROGATE",
    "Call",
    "LlmServer",
    "reply_to",
    "tokens",
]
