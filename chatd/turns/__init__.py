"""What users do with turns: ask for them, stop them, and be answered once however often they ask.

The order of checks is authentication (before this), ownership, duplicate, rate limit, running
(PROTOCOL section 4.3, promise 2).
"""

from chatd.turns.admission import Admission
from chatd.turns.asks import Begin, Sent
from chatd.turns.turns import Turns

__all__ = ["Admission", "Begin", "Sent", "Turns"]
