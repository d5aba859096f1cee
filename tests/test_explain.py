"""`chatd explain`: the prompt as it would be sent, and what plugins made of it."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

from chatd.testing import ScriptedProvider, serving

CONFIG = """
[plugins]
dir = "DIR"
enabled = ["auth_token", "said", "redact"]
[[plugins.redact.rules]]
pattern = "secret"
"""
SAID = """
import chatd
from chatd.testing import ScriptedProvider

@chatd.hookimpl
def register_providers(app):
    return [ScriptedProvider()]

@chatd.hookimpl
def prepare_prompt(prompt):
    if "fail" in prompt.messages[-1].content:
        raise chatd.Forbidden("Not this one.")
    return prompt.replace(messages=prompt.messages[-2:])

@chatd.hookimpl
def register_commands(cli):
    @cli.command()
    def say():
        "Say something."
"""


def run(file: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command on what was served."""
    command = [sys.executable, "-m", "chatd", *arguments, "--config", str(file)]
    environ = os.environ | {"CHATD_DATA_DIR": str(file.parent / "data")}
    return subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60)


def test_a_prompt_is_explained(tmp_path: Path) -> None:
    """All of the prompt is shown as a model would get it; what was taken out is only counted."""
    (tmp_path / "said.py").write_text(SAID)
    file = tmp_path / "chatd.toml"
    file.write_text(CONFIG.replace("DIR", str(tmp_path)))
    script = ScriptedProvider(["an answer"])
    times = ""

    async def talk() -> str:
        nonlocal times
        config = file.read_text().replace('"said", ', "")
        async with serving(tmp_path / "data", script, config=config) as server:
            alice = await server.client("alice")
            session = await alice.sessions.create(model="script/model", system_prompt="be kind")
            await alice.turns.send(session.id, "a secret")
            port = server.url.rpartition(":")[2]
            done = await asyncio.to_thread(run_at, file, port, "plugins", "--times", "--json")
            times = done.stdout or done.stderr
            return session.id

    session_id = asyncio.run(talk())
    assert json.loads(times)[0]["times"]["authenticate"]["calls"] > 0
    shown = run(file, "explain", session_id)
    assert shown.returncode == 0, shown.stderr
    assert "model: script/model" in shown.stdout
    assert shown.stdout.endswith("\n--- system\nbe kind\n\n--- user\na [redacted]\n")
    assert "said    nothing" in shown.stdout
    assert "redact  changed 1 of 2 messages" in shown.stdout
    disguised = run(file, "explain", session_id, "\x1b]0;evil\x07\x9b2J\tok\nyes").stdout
    assert disguised.endswith("--- user\n\\x1b]0;evil\\x07\\x9b2J\tok\nyes\n")
    told = json.loads(run(file, "explain", session_id, "a new secret", "--json").stdout)
    assert told["plugins"] == [
        {"plugin": "said", "changed": "4 messages became 2"},
        {"plugin": "redact", "changed": "changed 1 of 2 messages"},
    ]
    contents = [message["content"] for message in told["prompt"]["messages"]]
    assert contents == ["an answer", "a new [redacted]"]
    failed = run(file, "explain", session_id, "fail with a secret")
    assert (failed.returncode, failed.stdout) == (1, "")
    assert "Not this one." in failed.stderr
    unknown = run(file, "explain", "none")
    assert unknown.returncode == 1
    assert "There is no session none." in unknown.stderr
    listed = run(file, "plugins").stdout.splitlines()
    assert listed[0].split() == ["NAME", "VERSION", "SOURCE", "HOOKS", "COMMANDS"]
    assert listed[2].split()[-1] == "say"


def run_at(file: Path, port: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command that is to find the server at this port."""
    other = file.with_name("port.toml")
    other.write_text(file.read_text() + f"\n[server]\nport = {port}\n")
    return run(other, *arguments)
