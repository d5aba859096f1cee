"""The configuration: where it is read, what wins, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import pytest
from configured import refused, write

from chatd.config import Config, load_config
from chatd.errors import ConfigError


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test runs in an empty directory: no conf/chatd.toml is found by chance."""
    monkeypatch.chdir(tmp_path)


def test_defaults() -> None:
    """With nothing given, chatd listens on loopback and keeps everything in the user's data."""
    config = load_config(None, {}, {})

    assert config.server.host == "127.0.0.1"
    assert config.server.port == 8000
    assert config.server.prefix == "/ai-chat"
    assert config.data_dir.name == "chatd"
    assert config.store.url == f"sqlite:///{config.data_dir}/chatd.db"
    assert config.broker.url == "memory"
    assert config.llm.server_url == "http://localhost:8001"
    assert config.limits.sends_per_minute == 30
    assert config.tokens.ws_ticket == 30
    assert config.conf_dir == Path.cwd() / "conf"
    assert config.file is None


def test_a_config_can_be_built_without_reading() -> None:
    """Config() has the defaults of load_config, the store's URL included."""
    assert Config().store == load_config(None, {}, {}).store


def test_flags_over_environment_over_file() -> None:
    """A flag beats the environment, which beats the file, key by key."""
    path = write("[server]\nhost = '10.0.0.1'\nport = 1\naccess_log = false\n")

    config = load_config(
        path, {"CHATD_SERVER_HOST": "10.0.0.2", "CHATD_SERVER_PORT": "2"}, {"server.port": 3}
    )

    assert config.server.access_log is False
    assert config.server.host == "10.0.0.2"
    assert config.server.port == 3


def test_an_override_none_is_no_override() -> None:
    """A flag that was not given leaves what the environment says."""
    config = load_config(None, {"CHATD_SERVER_PORT": "2"}, {"server.port": None})

    assert config.server.port == 2


def test_an_unknown_override_is_a_bug() -> None:
    """Overrides come from our own code: a wrong name is no user's mistake."""
    with pytest.raises(KeyError):
        load_config(None, {}, {"server.prot": 1})


def test_which_file() -> None:
    """The given path, else CHATD_CONFIG, else conf/chatd.toml here; its directory is conf_dir."""
    write("[server]\nport = 1\n", "conf/chatd.toml")
    write("[server]\nport = 2\n", "a/second.toml")
    write("[server]\nport = 3\n", "b/third.toml")

    here = load_config(None, {}, {})
    named = load_config(None, {"CHATD_CONFIG": "a/second.toml"}, {})
    given = load_config(Path("b/third.toml"), {"CHATD_CONFIG": "a/second.toml"}, {})

    assert [c.server.port for c in (here, named, given)] == [1, 2, 3]
    assert [c.conf_dir for c in (here, named, given)] == [
        Path.cwd() / "conf",
        Path.cwd() / "a",
        Path.cwd() / "b",
    ]


@pytest.mark.parametrize("environ", [{}, {"CHATD_CONFIG": "missing.toml"}])
def test_a_named_file_must_exist(environ: dict[str, str]) -> None:
    """A file that was asked for and is not there stops the start, by its name."""
    path = None if environ else Path("missing.toml")

    with pytest.raises(ConfigError, match="no configuration file missing"):
        load_config(path, environ, {})


def test_relative_paths() -> None:
    """A path in the file starts from the file's directory, another from the working directory."""
    path = write("[data]\ndir = 'd'\n[plugins]\ndir = '../p'\n", "conf/chatd.toml")
    Path("p").mkdir()

    of_file = load_config(path, {}, {})
    of_flag = load_config(path, {}, {"data.dir": Path("d")})

    assert of_file.data_dir == Path.cwd() / "conf" / "d"
    assert of_file.plugins.dir == Path.cwd() / "conf" / "../p"
    assert of_flag.data_dir == Path.cwd() / "d"
    assert of_flag.store.url == f"sqlite:///{Path.cwd()}/d/chatd.db"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "[server]\nport = 'x'",
            "[server] port in chatd.toml: expected a whole number (it is 'x')",
        ),
        ("[server]\nport = 1.5", "expected a whole number"),
        ("[server]\nport = true", "expected a whole number"),
        ("[server]\nport = 65536", "expected 0 to 65535 (it is 65536)"),
        ("[server]\nhost = 1", "expected a text"),
        ("[server]\ndev = 'perhaps'", "expected true or false"),
        ("[server]\nprefix = 'ai/'", "expected a path like /ai-chat"),
        ("[server]\nlog_level = 'LOUD'", "expected DEBUG, INFO, WARNING or ERROR"),
        (
            "[server]\nprot = 1",
            "[server] prot in chatd.toml: there is no such key; did you mean port?",
        ),
        ("[sever]\n", "[sever] in chatd.toml: there is no such section; did you mean server?"),
        ("port = 1", "[port] in chatd.toml: there is no such section"),
        ("[llm]\ntimeout = nan", "expected a number"),
        ("[llm]\ntimeout = 0", "expected 0.001 or more"),
        ("[llm]\nserver_url = 'localhost:8001'", "expected http://host:port"),
        ("[store]\nurl = 'postgres://db'", "expected sqlite:///PATH or mongodb://HOST/NAME"),
        ("[broker]\nurl = 'kafka'", "expected memory"),
        ("[plugins]\nenabled = [1]", "expected a list of strings"),
        ("[plugins]\nenable = []", "did you mean enabled?"),
        ("[plugins.auth_tokn]\n", "did you mean auth_token?"),
        ("[models]\noption_keys = ['api_base']", "api_base could redirect a call"),
        ("[limits]\nsockets = -1", "expected 0 or more"),
        ("[server\n", "chatd.toml is not TOML"),
    ],
)
def test_a_wrong_file(text: str, expected: str) -> None:
    """What is wrong is named with its key, its file and what was expected."""
    assert expected in refused(text)


def test_a_wrong_variable() -> None:
    """A wrong value from the environment is named with its variable."""
    assert refused(CHATD_SERVER_PORT="x") == (
        "CHATD_SERVER_PORT in the environment: expected a whole number (it is 'x')"
    )


def test_all_problems_at_once() -> None:
    """Whoever mends a configuration sees everything that is wrong with it."""
    message = refused("[server]\nport = 'x'\ncolour = 1\n", LLM_TIMEOUT="soon", CHATD_X="1")

    assert len(message.splitlines()) == 4


def test_origins_are_kept_as_browsers_send_them() -> None:
    """Origins are compared whole, so case and a scheme's own port are taken out."""
    text = "HTTPS://App.Example:443,http://a:80,http://[::1]:3000,tauri://localhost"

    config = load_config(None, {"CHATD_ALLOWED_ORIGINS": text}, {})

    assert config.server.allowed_origins == (
        "https://app.example",
        "http://a",
        "http://[::1]:3000",
        "tauri://localhost",
    )


@pytest.mark.parametrize(
    "origin",
    ["a.example", "https://a.example/", "https://a.example/x", "https://*.example", "https://u@a"],
)
def test_what_is_no_origin(origin: str) -> None:
    """A path, a pattern or a bare host is refused: it would never match."""
    assert "expected scheme://host[:port]" in refused(CHATD_ALLOWED_ORIGINS=origin)


def test_a_plugin_directory_that_is_missing(tmp_path: Path) -> None:
    """A directory of plugins that is not there stops the start, named as it was found."""
    message = refused(CHATD_PLUGINS_DIR=str(tmp_path / "nothing"))

    assert "CHATD_PLUGINS_DIR in the environment: there is no directory" in message


def test_what_looks_like_a_typo_is_a_warning() -> None:
    """An unknown LLM_ variable may be another program's: what it resembles is only suggested."""
    environ = dict.fromkeys(("LLM_SERVER_URI", "LLM_MODEL", "LLM_API_KEY", "LLM_TIMEOUT"), "1")

    assert load_config(None, environ, {}).warnings == (
        "LLM_MODEL in the environment is not read; did you mean LLM_DEFAULT_MODEL?",
        "LLM_SERVER_URI in the environment is not read; did you mean LLM_SERVER_URL?",
    )


def test_any_origin_only_in_development() -> None:
    """* as an origin needs --dev."""
    environ = {"CHATD_ALLOWED_ORIGINS": "*"}

    assert "* is allowed with --dev only" in refused(**environ)
    assert load_config(None, environ, {"server.dev": True}).server.allowed_origins == ("*",)
