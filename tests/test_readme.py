"""The README's examples run as they are printed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

from harness import chatting
from process import Process

README = (Path(__file__).parent.parent / "README.md").read_text()


def blocks(language: str) -> list[str]:
    """Return the fenced blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def test_the_two_commands_come_first() -> None:
    """Before anything else the README says how to start and how to test."""
    commands = re.findall(r"^    (scripts/\w+)", README, re.MULTILINE)
    assert commands[:2] == ["scripts/serve", "scripts/test"]


def test_the_examples_run(server: Process, tmp_path: Path) -> None:
    """The shell and Python examples, in their order, against a server as it is started."""
    (tmp_path / ".venv").symlink_to(sys.prefix)
    address = server.url.removeprefix("http://")
    (tmp_path / "hello.py").write_text(blocks("python")[0].replace("localhost:8000", address))
    script = "\n".join(blocks("sh")).replace("localhost:8000", address)
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=tmp_path,
        env=os.environ | {"CHATD_DATA_DIR": str(server.data_dir)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert '"content":"Hello over REST"' in done.stdout
    assert "event: ai_message_complete" in done.stdout
    assert done.stdout.endswith("Hello over WebSocket\n")


async def test_the_plugin_works(tmp_path: Path) -> None:
    """The README's plugin, enabled by the README's lines, answers a turn."""
    (tmp_path / "shout.py").write_text(blocks("python plugin")[0])
    (lines,) = re.findall(r"^    \[plugins\]\n(?:    .*\n)+", README, re.MULTILINE)
    enabled = tomllib.loads(lines)["plugins"]["enabled"]
    settings = {
        "CHATD_PLUGINS_DIR": str(tmp_path),
        "CHATD_PLUGINS_ENABLED": ",".join(enabled),
    }
    async with chatting(tmp_path, **settings) as chat:
        alice = await chat.client("alice")
        answer = await alice.send(await alice.new_session(model="shout/loud"), "be loud")
    assert answer["ai_message"]["content"] == "BE LOUD "
