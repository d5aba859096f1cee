"""What the documents allow, and what they do not, sent to a running server by schemathesis.

No answer is outside of the contract: statuses, types, headers and bodies are as the document says,
what it allows is accepted, what it does not is refused, and nothing is an error of the server.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import process
import pytest

SETTINGS = Path(__file__).with_name("schemathesis.toml")
# What is deterministic in CI says the same each time; coverage is what finds most. The long profile
# (CHATD_TEST_LONG) has the random phase too.
PHASES = "examples,coverage,stateful" + ",fuzzing" * bool(os.environ.get("CHATD_TEST_LONG"))
SIGN_OUT = "signOut"  # revokes the token that all the others need


def send(server: process.Process, directory: Path, *arguments: str) -> None:
    """Run schemathesis against a server; nothing of what it sees may be a failure."""
    found = subprocess.run(
        [
            *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(SETTINGS), "run"),
            *(f"{server.url}/api/openapi.json", "--no-color", "--workers", "2"),
            *("--header", f"Authorization: Token {server.token}", *arguments),
        ],
        cwd=directory,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert found.returncode == 0, found.stdout[-20_000:]


@pytest.mark.timeout(900)
def test_no_answer_is_outside_of_the_contract(tmp_path: Path) -> None:
    """Whatever is sent to any route, the answer is one that the document has."""
    plugins = "auth_token,provider_echo,presets_store"
    settings = {"CHATD_PLUGINS_ENABLED": plugins, "LLM_DEFAULT_MODEL": "echo"}
    with process.running(tmp_path / "data", **settings) as server:
        others = ("--exclude-operation-id", SIGN_OUT, "--max-examples", "2")
        send(server, tmp_path, *others, "--phases", PHASES)
        assert "Traceback" not in server.log
        send(server, tmp_path, "--include-operation-id", SIGN_OUT, "--phases", "coverage")
