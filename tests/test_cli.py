"""The command line, as processes over a real data directory."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

import chatd
from chatd.stores import open_store
from chatd.types import digest_token

COMMANDS = [
    (),
    ("serve",),
    ("tokens",),
    ("tokens", "create"),
    ("tokens", "list"),
    ("tokens", "revoke"),
    ("users",),
    ("users", "add"),
    ("users", "list"),
    ("users", "disable"),
    ("users", "enable"),
    ("sync-models",),
    ("plugins",),
    ("config",),
    ("backup",),
    ("restored",),
    ("store",),
    ("store", "copy"),
    ("export",),
    ("import",),
    ("completion",),
]


class Shell:
    """Runs chatd in an environment of its own, as a user's terminal would."""

    def __init__(self, directory: Path) -> None:
        self.data = directory / "data"
        self._environ = {
            name: text
            for name, text in os.environ.items()
            if not name.startswith(("CHATD_", "LLM_", "DB_", "REDIS_"))
        } | {"CHATD_DATA_DIR": str(self.data)}
        self._directory = directory

    def run(self, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        return subprocess.run(
            [sys.executable, "-m", "chatd", *arguments],
            cwd=self._directory,
            env=self._environ | environ,
            capture_output=True,
            text=True,
            timeout=60,
        )

    def says(self, *arguments: str, **environ: str) -> str:
        """Run a command that succeeds; return what it prints on stdout."""
        result = self.run(*arguments, **environ)
        assert result.returncode == 0, result.stderr
        return result.stdout.strip()

    def fails(self, *arguments: str, **environ: str) -> str:
        """Run a command that fails; return its sentence."""
        result = self.run(*arguments, **environ)
        assert result.returncode == 1
        assert "Traceback" not in result.stderr
        assert result.stdout == ""
        return result.stderr.strip()

    @contextlib.contextmanager
    def serving(self) -> Iterator[str]:
        """Run `chatd serve` on a free port; give its URL, and stop it in order."""
        process = subprocess.Popen(
            [sys.executable, "-m", "chatd", "serve", "--port", "0"],
            cwd=self._directory,
            env=self._environ | {"CHATD_PLUGINS_ENABLED": "auth_token,presets_store"},
            stdout=subprocess.PIPE,
            text=True,
        )
        with process:
            assert process.stdout is not None
            url = process.stdout.readline()
            try:
                yield url.partition("?")[0]
            finally:
                process.terminate()
        assert process.returncode == 0


def status_of(url: str, token: str) -> int:
    """Return the status of a request that brings a token."""
    request = urllib.request.Request(url, headers={"Authorization": f"Token {token}"})
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            status: int = response.status
            return status
    except urllib.error.HTTPError as exc:
        with exc:
            return exc.code


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """A shell over an empty directory."""
    return Shell(tmp_path)


def test_version(shell: Shell) -> None:
    """`chatd --version` prints the version."""
    assert shell.says("--version") == f"chatd {chatd.__version__}"


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_help(shell: Shell, command: tuple[str, ...]) -> None:
    """Every command explains itself, and takes --data-dir and --config."""
    text = shell.says(*command, "--help")

    assert "Usage: chatd" in text
    assert "--data-dir" in text
    assert "--config" in text


def loaded_by(*arguments: str, **environ: str) -> set[str]:
    """Return the modules that a Python loads."""
    result = subprocess.run(
        [sys.executable, "-X", "importtime", *arguments],
        env=os.environ | environ,
        capture_output=True,
        text=True,
        check=True,
    )
    return set(re.findall(r"\| +([\w.]+)$", result.stderr, re.MULTILINE))


def test_help_comes_at_once(shell: Shell) -> None:
    """`chatd --help` loads nothing but the command line itself: no loop, server, store, schema.

    Nor any plugin, with all of chatd's own enabled. That takes 0.13 s of the processor; counted is
    what is loaded, as seconds would depend on the machine.
    """
    plugins = [path.stem for path in Path("plugins").glob("[a-z]*.py")]
    assert len(plugins) >= 16
    loaded = loaded_by("-m", "chatd", "--help", CHATD_PLUGINS_ENABLED=",".join(plugins))

    assert "click" in loaded
    heavy = {"asyncio", "tornado", "marshmallow", "msgspec", "httpx", "sqlite3", "pymongo", "rich"}
    assert not loaded & heavy
    ours = {name for name in loaded if name.startswith("chatd")}
    assert not [name for name in ours if name.startswith("chatd_plugins")]
    assert len(ours) < 10
    assert len(loaded - loaded_by("-c", "import click")) < 40


def test_a_token_alone_on_stdout(shell: Shell) -> None:
    """`chatd tokens create` makes the user and prints the token, the rest on stderr."""
    result = shell.run("tokens", "create", "alice", "--label", "phone")

    assert re.fullmatch(r"chatd_[\w-]{43}\n", result.stdout)
    assert "alice" in result.stderr
    assert f"It is kept in {shell.data}/chatd.db." in result.stderr
    assert "alice" in shell.says("users", "list")


async def test_a_created_token_is_good(shell: Shell) -> None:
    """The printed token is the one that the store knows."""
    token = shell.says("tokens", "create", "alice")
    store = open_store(f"sqlite:///{shell.data}/chatd.db")
    await store.open()
    found = await store.find_token(digest_token(token))
    await store.aclose()

    assert found is not None
    assert found[1].name == "alice"


def test_tokens_are_listed_and_revoked(shell: Shell) -> None:
    """`chatd tokens list` shows ids, never secrets; `revoke` takes one away."""
    token = shell.says("tokens", "create", "alice", "--label", "phone", "--expires", "7")
    shell.says("tokens", "create", "bob")
    listed = shell.says("tokens", "list")
    _, alices, bobs = listed.splitlines()
    assert "alice" in alices
    assert "phone" in alices
    assert "never" in bobs
    assert token not in listed

    shell.says("tokens", "revoke", alices.split()[0])

    [row] = shell.says("tokens", "list").splitlines()[1:]
    assert row.split() == bobs.split()


def test_revoking_what_is_not_there(shell: Shell) -> None:
    """An id that no token has is a failure that says where to look."""
    shell.says("users", "add", "alice")
    assert shell.fails("tokens", "revoke", "x") == (
        "Error: There is no token x: see chatd tokens list."
    )


def test_users_are_added(shell: Shell) -> None:
    """`chatd users add` makes an account, with --admin an administrator's."""
    shell.says("users", "add", "alice", "--admin")
    shell.says("users", "add", "bob")

    rows = [line.split()[:3] for line in shell.says("users", "list").splitlines()]
    assert rows == [
        ["NAME", "ROLES", "STATE"],
        ["alice", "admin", "active"],
        ["bob", "-", "active"],
    ]
    assert "bob" in shell.fails("users", "add", "bob")


def test_users_are_disabled_and_enabled(shell: Shell) -> None:
    """A disabled user gets no token until enabled again; who is vouched for gets new ones."""
    shell.says("users", "add", "alice")
    shell.says("users", "disable", "alice")
    assert "disabled" in shell.says("users", "list")
    assert "chatd users enable alice" in shell.fails("tokens", "create", "alice")

    shell.says("users", "enable", "alice")

    assert shell.says("tokens", "create", "alice")
    assert "tokens revoked: 1" in shell.run("users", "vouch", "alice").stderr


def test_a_user_that_is_not_there(shell: Shell) -> None:
    """Disabling nobody is a failure that says where to look."""
    shell.says("users", "add", "alice")
    assert shell.fails("users", "disable", "x") == (
        "Error: There is no user x; chatd users list shows all."
    )


def test_options_before_and_after_the_command(shell: Shell, tmp_path: Path) -> None:
    """--data-dir may stand anywhere, the last one counts, and it beats the environment."""
    shell.says("--data-dir", "a", "users", "add", "alice")
    shell.says("users", "add", "bob", "--data-dir", "a")

    names = shell.says("users", "--data-dir", "b", "list", "--data-dir", "a").splitlines()[1:]
    assert [name.split()[0] for name in names] == ["alice", "bob"]
    assert not (tmp_path / "b").exists()
    assert not shell.data.exists()


def test_a_configuration_file(shell: Shell, tmp_path: Path) -> None:
    """--config names the file; a relative path in it starts from its directory."""
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "mine.toml").write_text("[data]\ndir = 'var'\n")
    environ = {"CHATD_DATA_DIR": ""}

    result = shell.run("--config", "etc/mine.toml", "users", "add", "alice", **environ)

    assert result.returncode == 0, result.stderr
    assert (tmp_path / "etc" / "var" / "chatd.db").exists()


@pytest.mark.parametrize(
    ("arguments", "environ", "sentence"),
    [
        (("--config", "no.toml"), {}, "Error: There is no configuration file no.toml."),
        ((), {"CHATD_PORT": "1"}, "did you mean CHATD_SERVER_PORT?"),
        ((), {"CHATD_STORE": "postgres://me:hunter2@db/x"}, "postgres://***@db/x"),
        (("--data-dir", "/dev/null/x"), {}, "/dev/null/x"),
    ],
)
def test_a_wrong_configuration(
    shell: Shell, arguments: tuple[str, ...], environ: dict[str, str], sentence: str
) -> None:
    """A wrong configuration is a sentence and exit code 1, for every command."""
    for command in (("users", "list"), ("serve", "--port", "0")):
        assert sentence in shell.fails(*command, *arguments, **environ)


@pytest.mark.parametrize(
    "arguments",
    [("tokens", "create"), ("no-such",), ("serve", "--port", "x"), ("users", "list", "--no-such")],
)
def test_wrong_usage(shell: Shell, arguments: tuple[str, ...]) -> None:
    """Wrong usage is exit code 2, and a hint."""
    result = shell.run(*arguments)

    assert result.returncode == 2
    assert "--help" in result.stderr


def test_commands_work_beside_a_server(shell: Shell) -> None:
    """While chatd serves, a token made beside it works at once, and a revoked one no longer."""
    with shell.serving() as url:
        token = shell.says("tokens", "create", "alice")
        assert status_of(f"{url}ai-chat/api/me/", token) == 200

        [row] = [line for line in shell.says("tokens", "list").splitlines() if "alice" in line]
        shell.says("tokens", "revoke", row.split()[0])
        assert status_of(f"{url}ai-chat/api/me/", token) == 401


def test_a_second_server_in_the_same_directory(shell: Shell) -> None:
    """Two servers never share a data directory: the second says so and ends."""
    with shell.serving():
        assert "Another chatd serves from" in shell.fails("serve", "--port", "0")


@pytest.mark.parametrize(
    "command",
    [
        "tokens list",
        "tokens revoke x",
        "users list",
        "users disable x",
        "users enable x",
        "backup b",
        "sync-models",
        "restored",
    ],
)
def test_without_a_database(shell: Shell, tmp_path: Path, command: str) -> None:
    """What only looks or changes makes no empty database; it says that there is none, and where."""
    sentence = shell.fails(*command.split())

    assert f"There is no database {shell.data}/chatd.db yet." in sentence
    assert not shell.data.exists()


def test_the_refusal_of_a_network_says_what_to_run(shell: Shell) -> None:
    """The command in the sentence makes a token where this server looks for one."""
    sentence = shell.fails("serve", "--host", "0.0.0.0", "--port", "0", "--data-dir", "my data")
    (command,) = re.findall(r"`chatd (.*?)`", sentence)

    shell.says(*shlex.split(command))

    assert "NAME" in shell.says("tokens", "list", "--data-dir", "my data")


def test_a_host_that_is_not_there(shell: Shell) -> None:
    """A host that has no address is named before anything else is asked for."""
    sentence = shell.fails("serve", "--host", "no.such.host.invalid", "--port", "0")

    assert "There is no host no.such.host.invalid to listen on" in sentence


def test_a_backup_that_is_killed(shell: Shell, tmp_path: Path) -> None:
    """What a kill leaves is not taken for a backup, and does not stop the next one."""
    shell.says("users", "add", "alice")
    dying = {"CHATD_TEST_BUILD": "1", "CHATD_FAILPOINT": "before_backup"}
    assert shell.run("backup", "copy.db", **dying).returncode == -9
    assert not (tmp_path / "copy.db").exists()

    shell.says("backup", "copy.db")

    assert (tmp_path / "copy.db").stat().st_mode & 0o777 == 0o600
    assert len(list(tmp_path.glob("copy.db*"))) == 2


async def test_a_backup_beside_a_server(shell: Shell, tmp_path: Path) -> None:
    """A backup made while the server runs is one file with everything, and an epoch of its own."""
    with shell.serving():
        token = shell.says("tokens", "create", "alice")
        shell.says("backup", "copy.db")
    assert sorted(path.name for path in tmp_path.glob("copy*")) == ["copy.db"]
    assert (tmp_path / "copy.db").stat().st_mode & 0o777 == 0o600
    paths = (shell.data / "chatd.db", tmp_path / "copy.db")
    stores = [open_store(f"sqlite:///{path}") for path in paths]
    for store in stores:
        await store.open()
        assert await store.find_token(digest_token(token)) is not None
        await store.aclose()
    assert stores[0].epoch != stores[1].epoch
    assert "is there already" in shell.fails("backup", "copy.db")
