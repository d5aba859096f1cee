"""The transcripts in the documentation are what a real server says."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import process
import pytest
from harness import API
from transcripts import Player, blocks, differences, output_differences, play_console

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
CONSOLES = sorted(
    str(page.relative_to(DOCS)) for page in DOCS.rglob("*.md") if blocks(page, "console")
)
SOCKETS = [
    pytest.param(block, id=f"{page.stem}-{number}")
    for page in sorted(DOCS.rglob("*.md"))
    for number, block in enumerate(blocks(page, "websocket"), 1)
]
# Without what an author does not have: these plugins take a second to load, and warn.
QUICK_PYTEST = " ".join(
    f"-p no:{name}"
    for name in ("tornado", "xdist", "schemathesis", "hypothesispytest", "cacheprovider")
)
CONFIGURATION = """
[plugins.provider_echo]
delay = 0.2  # that words come one by one also where the processor is busy
[plugins.presets_file]
directory = "{directory}"
"""


@pytest.fixture(scope="module")
def model_server() -> Iterator[str]:
    """The model server for development, as it is started by hand."""
    command = [sys.executable, str(ROOT / "scripts" / "llm_server.py"), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        yield running.stdout.readline().split()[-1]
        running.terminate()


@pytest.fixture(scope="module")
def server(
    tmp_path_factory: pytest.TempPathFactory, model_server: str
) -> Iterator[process.Process]:
    """A chatd with the plugins that are enabled by default."""
    directory = tmp_path_factory.mktemp("documented")
    presets = ROOT / "conf" / "presets"
    (directory / "chatd.toml").write_text(CONFIGURATION.format(directory=presets))
    settings = {"CHATD_CONFIG": str(directory / "chatd.toml"), "LLM_SERVER_URL": model_server}
    with process.running(directory / "data", **settings) as server:
        yield server


@pytest.mark.parametrize("name", CONSOLES)
def test_consoles(name: str, server: process.Process, tmp_path: Path) -> None:
    """The commands of a page, in their order, print what it says."""
    (tmp_path / ".venv").symlink_to(sys.prefix)
    play_console(
        DOCS / name,
        tmp_path,
        {"localhost:8000": server.url.removeprefix("http://")},
        PATH=f"{sys.prefix}/bin:{os.environ['PATH']}",
        CHATD_DATA_DIR=str(server.data_dir),
        TICKET=server.ticket_url.partition("ticket=")[2],
        PYTEST_ADDOPTS=QUICK_PYTEST,
    )


@pytest.mark.parametrize("block", SOCKETS)
async def test_sockets(block: str, server: process.Process) -> None:
    """Each transcript of a socket, on a new session of the echo model."""
    headers = {"Authorization": f"Token {server.token}"}
    async with httpx.AsyncClient(base_url=server.url, headers=headers) as http:
        answer = await http.post(f"{API}/sessions/", json={"model": "echo/echo"})
    bound = {"token": server.token, "session": answer.json()["id"]}
    await Player(server.url, bound).play(block)


def test_a_transcript_that_is_wrong_is_noticed() -> None:
    """A value, a field too many or too few, and a name with two values are differences."""
    assert differences({"a": "<x>", "b": "<x>"}, {"a": 1, "b": 1}, {}) == []
    assert differences({"a": "<x>", "b": "<x>"}, {"a": 1, "b": 2}, {}) != []
    assert differences({"a": 1}, {"a": 1, "b": 2}, {}) == ["$.b is not told"]
    assert differences({"a": 1, "...": 0}, {"a": 1, "b": 2}, {}) == []
    assert differences({"a": 1}, {}, {}) == ["$.a is missing"]
    assert differences([1, "..."], [1, 2], {}) == []
    assert differences([1], [1, 2], {}) != []
    assert differences({"a": True}, {"a": 1}, {}) != []
    assert output_differences("a\n...\nc\n", "a\nb\nc", {}) == []
    assert output_differences("a\nc\n", "a\nb\nc", {}) != []
    assert output_differences("HTTP <number>\n", "HTTP 200", {}) == []
