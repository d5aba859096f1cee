"""Places where a test can make the process die, to prove what a crash leaves behind.

`CHATD_FAILPOINT=name` kills the process at the first pass, `name:3` at the third. The variable is
read once, at import, and does nothing unless CHATD_TEST_BUILD=1 is set too.
"""

from __future__ import annotations

import os
import signal


def _configured() -> tuple[str, int]:
    if os.environ.get("CHATD_TEST_BUILD") != "1":
        return "", 0
    name, _, passes = os.environ.get("CHATD_FAILPOINT", "").partition(":")
    return name, int(passes or 1)


_name, _passes = _configured()


def failpoint(name: str) -> None:
    """Die here if the environment says so."""
    if name == _name:
        _die_at_last_pass()


def _die_at_last_pass() -> None:
    global _passes
    _passes -= 1
    if _passes <= 0:
        os.kill(os.getpid(), signal.SIGKILL)
