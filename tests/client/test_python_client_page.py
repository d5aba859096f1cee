"""The page about the Python client: its programs run, as they are printed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from process import Process

PAGE = (Path(__file__).parents[2] / "docs" / "python-client.md").read_text()
PROGRAMS = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
PRINTED = [
    "Hello\nAnd now word by word\n",
    "SessionCreated Seen at once\n",
    "One call, one answer\nuser complete\nassistant complete\nnot_found\n",
    "No loop here\n",
]


@pytest.mark.parametrize(("program", "printed"), list(zip(PROGRAMS, PRINTED, strict=True)))
def test_the_programs_run(slow_server: Process, program: str, printed: str) -> None:
    """Each, against a server as it is started."""
    assert "http://localhost:8000" in program
    done = subprocess.run(
        [sys.executable, "-c", program.replace("http://localhost:8000", slow_server.url)],
        env=os.environ | {"TOKEN": slow_server.token},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, printed, "")
