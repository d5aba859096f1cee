"""A plugin of somebody else's: installed by pip, enabled by a line, removed by taking it out."""

from __future__ import annotations

import asyncio
import contextlib
import difflib
import shutil
import subprocess
import sys
import sysconfig
import venv
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, NamedTuple

import process
import pytest
from commands import AS_AN_AUTHOR
from faces import Caller

PACKAGE = Path(__file__).parents[1] / "outside_plugin"
LAMP = "the lamp of the tests"
WITHOUT = """
[plugins]
enabled = [
  "auth_token",
  "presets_store",
]
"""
WITH = WITHOUT.replace('  "presets_store"', '  "lighthouse",\n  "presets_store"')
TABLE = '[plugins.lighthouse]\nlamp = { env = "LAMP" }\n'


class Installed(NamedTuple):
    """An environment that has the plugin, and a directory with its tests and without its source."""

    python: str
    tests: Path


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """A fresh environment, in which pip has installed the package as its author wrote it.

    It sees what this one has installed, as if pip had installed chatd there, which would take long.
    """
    place = tmp_path_factory.mktemp("outside")
    shutil.copytree(PACKAGE, place / "package")
    venv.EnvBuilder(symlinks=True).create(place / "environment")
    python = str(place / "environment" / "bin" / "python")
    known = sysconfig.get_paths()["purelib"]
    target = run(python, "-c", "import sysconfig; print(sysconfig.get_paths()['purelib'])")
    Path(target.strip(), "chatd.pth").write_text(f"import site; site.addsitedir({known!r})\n")
    pip = [sys.executable, "-m", "pip", "--python", python, "install", "--no-index", "-q"]
    run(
        *pip,
        "--no-build-isolation",
        "--no-compile",
        "--disable-pip-version-check",
        str(place / "package"),
    )
    shutil.rmtree(place / "package" / "src")
    return Installed(python, place / "package")


def run(*command: str, status: int = 0, **options: Any) -> str:
    """Return what a command prints."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, **options)
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout


def test_its_own_tests_pass(installed: Installed) -> None:
    """They run against what is installed, and nothing of chatd's source is beside them."""
    said = run(installed.python, "-m", "pytest", "-q", *AS_AN_AUTHOR, cwd=installed.tests)
    assert "16 passed" in said


class Chatd:
    """The chatd of an environment, with one configuration: its commands, and its server."""

    def __init__(self, python: str, place: Path, config: str) -> None:
        place.mkdir(exist_ok=True)
        self.python, self.data = python, place / "data"
        (place / "chatd.toml").write_text(config + TABLE)
        self.settings = {"CHATD_CONFIG": str(place / "chatd.toml"), "LAMP": LAMP}

    def says(self, *arguments: str, status: int = 0) -> str:
        """Return what a command prints."""
        environ = process.environment(**self.settings, CHATD_DATA_DIR=str(self.data))
        command = [self.python, "-m", "chatd", *arguments]
        return run(*command, status=status, env=environ, cwd=self.data.parent)

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[Caller]:
        """Run the server; give a caller with the lamp."""

        class Theirs(process.Process):
            python = self.python

        server = Theirs(self.data, **self.settings)
        try:
            await asyncio.to_thread(server.wait_for_url)
            yield Caller(server.url, {"X-Lamp": LAMP})
        finally:
            server.kill()


async def test_it_is_enabled_by_one_line(installed: Installed, tmp_path: Path) -> None:
    """Its model, way in, preset, path and command are there over a real server."""
    lines = difflib.ndiff(WITHOUT.splitlines(), WITH.splitlines())
    assert [line for line in lines if line[0] in "+-"] == ['+   "lighthouse",']
    chatd = Chatd(installed.python, tmp_path, WITH)
    async with chatd.serving() as keeper:
        assert (await keeper.me())["name"] == "keeper"
        assert (await Caller(keeper.url, {"X-Lamp": "another"}).ask("GET", "/me/")).status_code == (
            401
        )
        body = {"preset_id": "lighthouse-storm", "model": "lighthouse/beacon"}
        session = (await keeper.ask("POST", "/sessions/", body)).json()["id"]
        sent = await keeper.ask("POST", f"/sessions/{session}/send_message/", {"message": "hi"})
        assert sent.json()["ai_message"]["content"] == "FLASH FLASH FLASH "
        ships = await keeper.ask("POST", "/x/lighthouse/ships")
        assert ships.json() == {"ships": 1, "seen_by": "keeper"}
        assert chatd.says("ships") == "1 ships\n"  # beside the server
    listed = [line.split() for line in chatd.says("plugins").splitlines()]
    assert ["lighthouse", "1.2.3", "entry", "point"] in [line[:4] for line in listed]
    assert listed[2][-1] == "ships"


async def test_it_is_removed_by_one_line(installed: Installed, tmp_path: Path) -> None:
    """Without its line nothing of it is there, though it is installed and has its table."""
    chatd = Chatd(installed.python, tmp_path, WITHOUT)
    async with chatd.serving() as nobody:
        assert (await nobody.ask("GET", "/me/")).status_code == 401
        user = Caller(nobody.url, {"Authorization": f"Token {process.TOKEN}"})
        assert (await user.ask("POST", "/x/lighthouse/ships")).status_code == 404
        assert (await user.ask("GET", "/presets/")).json()["results"] == []
        models = (await user.ask("GET", "/models/")).text
        assert "lighthouse" not in models
    assert "lighthouse" not in chatd.says("plugins")
    chatd.says("ships", status=2)
