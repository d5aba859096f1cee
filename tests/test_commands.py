"""The commands that look at models, plugins and settings; and how every command fails."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result
from harness import chatting

import chatd
from chatd.cli import main
from chatd.places import lines_of
from scripts.llm import LlmServer

OURS = ("CHATD_", "LLM_", "DB_", "REDIS_")
AWAY = "mongodb://127.0.0.1:1/chatd?serverSelectionTimeoutMS=50&timeoutMS=100"
SERVES = ("serve",)  # in this process it would leave its logging behind
READS_NO_SETTINGS = {("completion",), ("new-plugin",), ("store", "copy")}
NEEDS_NO_STORE = {("plugins",), ("new-plugin",), ("config",), ("completion",)}


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test runs in an empty directory, with its data in it and no other settings."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith(OURS)]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("CHATD_DATA_DIR", str(tmp_path / "data"))


def run(*arguments: str, **environ: str) -> Result:
    """Run a command in this process."""
    result = CliRunner(env=environ).invoke(main, arguments, prog_name="chatd")
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def says(*arguments: str, **environ: str) -> str:
    """Run a command that succeeds; return what it prints."""
    result = run(*arguments, **environ)
    assert result.exit_code == 0, result.stderr
    return result.stdout


def rows(*arguments: str, **environ: str) -> list[list[str]]:
    """Run a command that prints a table; return its cells, without the heads."""
    return [line.split() for line in says(*arguments, **environ).splitlines()[1:]]


def commands() -> Iterator[tuple[tuple[str, ...], list[str]]]:
    """Yield every command by its words, with values for all arguments that it must have."""

    def walk(command: click.Command, words: tuple[str, ...]) -> Iterator[Any]:
        context = click.Context(command, info_name=" ".join(words))
        if isinstance(command, click.Group):
            for name in command.list_commands(context):
                below = command.get_command(context, name)
                assert below is not None
                yield from walk(below, (*words, name))
        else:
            yield words, [value for each in command.params for value in values_of(each)]

    yield from walk(main, ())


def values_of(parameter: click.Parameter) -> list[str]:
    """Return a value for a parameter that must have one."""
    if not parameter.required:
        return []
    value = parameter.type.choices[0] if isinstance(parameter.type, click.Choice) else "x"
    return [value] if isinstance(parameter, click.Argument) else [parameter.opts[0], value]


COMMANDS = list(commands())


def by_words(*but: tuple[str, ...]) -> pytest.MarkDecorator:
    """Have a test try every command but some."""
    tried = [command for command in COMMANDS if command[0] not in but]
    return pytest.mark.parametrize(
        ("words", "arguments"), tried, ids=[" ".join(words) for words, _ in tried]
    )


def check_sentence(result: Result) -> None:
    """Check that the last thing said is a sentence, and no traceback is."""
    assert "Traceback" not in result.stderr
    last = result.stderr.splitlines()[-1]
    assert last.startswith("Error: ")
    assert last.endswith((".", "?"))


@by_words()
def test_an_option_that_is_not_there(words: tuple[str, ...], arguments: list[str]) -> None:
    """Wrong usage of any command is exit code 2, a hint and a sentence, and does nothing."""
    result = run(*words, *arguments, "--no-such-option")
    assert (result.exit_code, result.stdout) == (2, "")
    check_sentence(result)
    assert "--help" in result.stderr
    assert not Path("data").exists()


@by_words(*READS_NO_SETTINGS)
def test_a_configuration_that_is_wrong(words: tuple[str, ...], arguments: list[str]) -> None:
    """A wrong configuration is exit code 1 and a sentence, whatever the command."""
    result = run(*words, *arguments, CHATD_SERVER_PRT="1")
    assert (result.exit_code, result.stdout) == (1, "")
    check_sentence(result)
    assert "did you mean CHATD_SERVER_PORT?" in result.stderr


# PyMongo leaves the socket of a refused connection to the garbage collector.
@pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")
@by_words(*NEEDS_NO_STORE, SERVES)
def test_a_store_that_is_away(words: tuple[str, ...], arguments: list[str]) -> None:
    """A store that cannot be reached is exit code 1 and one sentence, for all that need it."""
    result = run(*words, *arguments, CHATD_STORE=AWAY)
    assert (result.exit_code, result.stdout) == (1, "")
    check_sentence(result)
    assert "127.0.0.1:1/chatd" in result.stderr or words in (("backup",), ("store", "copy"))
    del result  # its traceback leads to the sockets
    gc.collect()


def test_serving_from_a_store_that_is_away() -> None:
    """The server does not start without its store: exit code 1, and the sentence is the last."""
    result = subprocess.run(
        [sys.executable, "-m", "chatd", "serve", "--port", "0"],
        env=os.environ | {"CHATD_STORE": AWAY},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (result.returncode, result.stdout) == (1, "")
    assert "Traceback" not in result.stderr
    assert result.stderr.splitlines()[-1].startswith("Error: ")


def test_exit_codes_are_told() -> None:
    """`chatd --help` says what the exit codes mean; docs/commands.md does too, of every command."""
    text = " ".join(says("--help").split())
    page = (Path(__file__).parent.parent / "docs" / "commands.md").read_text()
    assert "Exit codes: 0 done; 1 failed" in text
    missing = [" ".join(words) for words, _ in COMMANDS if f"`chatd {' '.join(words)}" not in page]
    assert not missing, f"docs/commands.md has no row for chatd {missing}"


# chatd sync-models


async def test_models_beside_a_server(tmp_path: Path) -> None:
    """A running server lists what `chatd sync-models` has found beside it."""
    async with LlmServer(kind="ollama") as llm:
        environ = {"CHATD_PLUGINS_ENABLED": "auth_token,provider_openai,provider_echo"}
        off = environ | {"CHATD_MODELS_SYNC_INTERVAL": "0", "LLM_SERVER_URL": "http://127.0.0.1:1"}
        async with chatting(tmp_path, **off) as chat:
            alice = await chat.client("alice")
            process = await run_beside(
                "sync-models", CHATD_SERVER_PORT="0", LLM_SERVER_URL=llm.url, **environ
            )
            assert (process.returncode, process.stderr) == (0, "")
            assert [line.split() for line in process.stdout.splitlines()] == [
                ["PROVIDER", "MODEL", "CONTEXT", "CAPABILITIES", "STATE"],
                ["llm", "gemma3:4b", "131072", "vision", "active"],
                ["llm", "qwen3:8b", "16384", "tools,reasoning", "default"],
                ["echo", "echo", "-", "demo", "active"],
            ]
            models = (await alice.call("GET", "/models/"))["results"]
            assert {model["id"] for model in models} >= {"llm/qwen3:8b", "echo/echo"}


async def run_beside(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run a command in a process of its own while this one goes on."""
    return await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "chatd", *arguments],
        env=os.environ | environ,
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_a_provider_that_is_away() -> None:
    """If a provider does not answer, what is known is shown, and exit code 1 says what to do."""
    says("users", "add", "alice")
    for arguments in ((), ("--json",)):
        result = run("sync-models", *arguments, LLM_SERVER_URL="http://127.0.0.1:1")
        assert result.exit_code == 1
        assert "echo" in result.stdout
        assert result.stderr == (
            "Error: The model provider llm could not be reached. Its models stay as they were."
            " See that it runs, and with chatd config that its URL and key are right.\n"
        )
    report = json.loads(result.stdout)
    assert report["providers"]["echo"] == {"ok": True, "models": 1}
    assert (report["models"][0]["id"], report["default"]) == ("echo/echo", "echo/echo")


# chatd plugins


def test_plugins_are_listed() -> None:
    """Each enabled plugin has its version, where it is from, and its hooks, in their order."""
    Path("mine").mkdir()
    source = """
        import chatd
        __version__ = "2.5"

        @chatd.hookimpl
        def register_providers():
            return []

        @chatd.hookimpl
        async def authenticate(app, request):
            return None
    """
    Path("mine/own.py").write_text(textwrap.dedent(source))
    environ = {"CHATD_PLUGINS_DIR": "mine", "CHATD_PLUGINS_ENABLED": "own,auth_token"}
    assert rows("plugins", **environ) == [
        ["own", "2.5", "directory", "authenticate,register_providers"],
        ["auth_token", chatd.__version__, "bundled", "authenticate,sign_in"],
    ]
    own, _ = json.loads(says("plugins", "--json", **environ))
    assert own == {
        "name": "own",
        "source": "directory",
        "version": "2.5",
        "file": str(Path("mine/own.py").absolute()),
        "hooks": ["authenticate", "register_providers"],
        "commands": [],
    }


def test_a_plugin_of_a_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A plugin that an installed package offers has the version of the package."""
    hook = "import chatd\n\n@chatd.hookimpl\ndef startup(app): ...\n"
    (tmp_path / "packed.py").write_text(hook)
    metadata = tmp_path / "packed-7.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: packed\nVersion: 7.0\n")
    (metadata / "entry_points.txt").write_text("[chatd]\npacked_plugin = packed\n")
    monkeypatch.syspath_prepend(tmp_path)
    [row] = says("plugins", CHATD_PLUGINS_ENABLED="packed_plugin").splitlines()[1:]
    assert row.split() == ["packed_plugin", "7.0", "entry", "point", "startup"]


def test_a_plugin_that_is_broken() -> None:
    """A plugin that cannot be loaded is named, with exit code 1."""
    result = run("plugins", CHATD_PLUGINS_ENABLED="nowhere")
    assert (result.exit_code, result.stdout) == (1, "")
    check_sentence(result)
    assert "There is no plugin nowhere" in result.stderr


# chatd config

FILE = """
# A comment = 1
[server]
host = "10.0.0.1"
prefix = '''
/here''' # port = 3 is no key

[llm]
max_tokens = 7
"temperature" = 0.1

[[plugins.provider_openai.instances]]
name = "one"
url = "https://me:hunter2@one.example/v1"
key = { env = "ONE_KEY" }

[[plugins.provider_openai.instances]]
name = "two"
url = "http://two.example"
key = "hunter2"

[plugins.presets_file]
directory = "."
"""


def settings(*arguments: str, **environ: str) -> dict[str, tuple[Any, str]]:
    """Return what `chatd config --json` says of each setting: its value, and from where."""
    told = json.loads(says("config", "--json", *arguments, **environ))
    return {f"{s['section']}.{s['key']}": (s["value"], s["from"]) for s in told["settings"]}


def test_where_settings_come_from() -> None:
    """Each setting says if it is a default, or the line, the variable or the flag that set it."""
    Path("c.toml").write_text(FILE.replace("'''\n/here'''", "'/here'"))
    environ = {"CHATD_SERVER_PORT": "81", "ONE_KEY": "hunter2", "DB_HOST": "db"}
    environ |= {"DB_USER": "me", "DB_PASSWORD": "hunter2", "CHATD_DATA_DIR": "", "LLM_URL": "x"}
    arguments = ("--config", "c.toml", "--data-dir", "d")
    found = settings(*arguments, **environ)
    assert found["server.host"] == ("10.0.0.1", "c.toml:4")
    assert found["server.port"] == (81, "CHATD_SERVER_PORT")
    assert found["server.dev"] == (False, "default")
    assert found["data.dir"] == (f"{Path.cwd()}/d", "--data-dir")
    assert found["store.url"] == ("mongodb://***@db:27017/chatd", "DB_HOST")
    assert found["llm.temperature"][1] == "c.toml:9"
    instances, place = found["plugins.provider_openai.instances"]
    assert place == "c.toml:11"
    assert [instance["key"] for instance in instances] == ["***", "***"]
    assert found["plugins.presets_file.directory"] == (".", "c.toml:22")
    assert found["plugins.provider_echo.delay"] == (0.02, "default")
    result = run("config", *arguments, **environ)
    assert "hunter2" not in result.stdout
    assert ["[server]", "port", "CHATD_SERVER_PORT", "81"] in [
        line.split() for line in result.stdout.splitlines()
    ]
    assert result.stderr.startswith("Warning: LLM_URL in the environment is not read")


def test_lines_in_unusual_files() -> None:
    """A key in a text of several lines is none; what is not found has no line."""
    found = lines_of(FILE)
    assert found["server", "prefix"] == 5
    assert ("server", "port") not in found
    assert found["llm", "max_tokens"] == 9
    assert lines_of("server.port = 1\nserver = {port = 1}\n[ llm ]\nx=1") == {
        ("", "server"): 1,
        ("llm", "x"): 4,
    }


def test_all_that_is_wrong_with_the_settings() -> None:
    """`chatd config` checks everything, the tables of plugins too, and names what is wrong."""
    Path("c.toml").write_text("[plugins.provider_echo]\ndelay = 'x'\n")
    result = run("config", "--config", "c.toml")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "[plugins.provider_echo] delay in c.toml" in result.stderr


# chatd completion


def test_completion_in_bash() -> None:
    """What the script defines completes commands, sub-commands and options in a real bash."""
    words = """
        eval "$(chatd completion bash)"
        say() { COMPREPLY=(); COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _chatd_completion chatd
                echo "${COMPREPLY[@]}"; }
        say chatd sy; say chatd tokens cr; say chatd serve --ho; say chatd completion z
    """
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    result = subprocess.run(
        ["bash", "-c", words],
        env=os.environ | {"PATH": path},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert result.stderr == ""
    assert result.stdout.splitlines() == ["sync-models", "create", "--host", "zsh"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_says_how_to_install_it(shell: str) -> None:
    """The script ends with a comment that says where it belongs."""
    script = says("completion", shell)
    assert "_CHATD_COMPLETE" in script
    assert script.splitlines()[-1].startswith("# To install: ")
