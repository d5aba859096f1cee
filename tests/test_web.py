"""The client for JavaScript and its React hooks: types, and their tests on a real server."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from harness import Script, chatting

WEB = Path(__file__).parents[1] / "web"
NPM, NODE = shutil.which("npm"), shutil.which("node")

pytestmark = [
    pytest.mark.skipif(NPM is None, reason="THERE IS NO NPM: the JavaScript client is not tested"),
    pytest.mark.skipif(
        not (WEB / "node_modules").is_dir(), reason="scripts/test has not installed web/"
    ),
    pytest.mark.timeout(600),
]


def run(*command: str) -> subprocess.CompletedProcess[str]:
    """Run a program in web/; the servers that it starts run on this Python."""
    # What begins with CHATD_ is a setting of chatd, which refuses those that it does not know.
    env = {name: value for name, value in os.environ.items() if not name.startswith("CHATD_")}
    env |= {"PYTHON": sys.executable, "NO_COLOR": "1", "CI": "1"}
    return subprocess.run(command, cwd=WEB, env=env, capture_output=True, text=True)


async def test_the_types_are_those_of_the_contract_documents(tmp_path: Path) -> None:
    """client/src/contract.ts is what types.mjs makes of what the server says of itself."""
    async with chatting(tmp_path, Script([])) as chat, httpx.AsyncClient() as http:
        for name in ("openapi", "asyncapi"):
            answer = await http.get(f"{chat.url}/api/{name}.json")
            (tmp_path / f"{name}.json").write_text(json.dumps(answer.json()))
    paths = [str(tmp_path / f"{name}.json") for name in ("openapi", "asyncapi")]
    made = run(NODE or "", "types.mjs", *paths)
    assert made.returncode == 0, made.stderr
    committed = (WEB / "client" / "src" / "contract.ts").read_text(encoding="utf-8")
    assert made.stdout == committed, "run web/types.mjs again: the contract documents have changed"


@pytest.mark.parametrize("what", ["check", "test"])
def test_the_packages(what: str) -> None:
    """Types hold everywhere; the packages' own tests pass, on real servers, sockets and proxies."""
    done = run(NPM or "", "run", what, "--workspaces")
    assert done.returncode == 0, done.stdout + done.stderr
