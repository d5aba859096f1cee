"""The environment: which variable gives which setting, and which is a mistake."""

from __future__ import annotations

from pathlib import Path

import pytest

from chatd.config import load_config
from chatd.environment import variables
from chatd.errors import ConfigError
from chatd.settings import SECTIONS

SETTINGS = [(section, key) for section, cls in SECTIONS.items() for key in cls.__struct_fields__]


def refused(environ: dict[str, str]) -> str:
    """Return the sentence with which an environment is refused."""
    with pytest.raises(ConfigError) as caught:
        load_config(None, environ, {})
    return caught.value.message


FIXED = {
    "LLM_SERVER_URL": ("https://x.example/v1", "llm", "server_url", "https://x.example/v1"),
    "LLM_DEFAULT_MODEL": ("m", "llm", "default_model", "m"),
    "LLM_TIMEOUT": ("2.5", "llm", "timeout", 2.5),
    "LLM_MAX_TOKENS": ("7", "llm", "max_tokens", 7),
    "LLM_TEMPERATURE": ("1", "llm", "temperature", 1.0),
    "LLM_ENABLE_TOOLS": ("false", "llm", "enable_tools", False),
    "CHATD_STORE": ("sqlite:///a.db", "store", "url", "sqlite:///a.db"),
    "CHATD_BROKER": ("memory", "broker", "url", "memory"),
    "CHATD_ALLOWED_ORIGINS": (
        "https://a.example, http://b:8080",
        "server",
        "allowed_origins",
        ("https://a.example", "http://b:8080"),
    ),
    "CHATD_DATA_DIR": ("/d", "data", "dir", Path("/d")),
    "CHATD_SERVER_DEV": ("1", "server", "dev", True),
    "CHATD_LIMITS_SOCKETS": ("0", "limits", "sockets", 0),
    "CHATD_PLUGINS_ENABLED": ("auth_token", "plugins", "enabled", ("auth_token",)),
}


@pytest.mark.parametrize("name", FIXED)
def test_environment_names(name: str) -> None:
    """The names that operators know work, and every other key is CHATD_<SECTION>_<KEY>."""
    text, section, key, value = FIXED[name]

    config = load_config(None, {name: text}, {})

    assert getattr(getattr(config, section), key) == value


def test_every_setting_has_one_variable() -> None:
    """No two settings share a name in the environment."""
    assert set(variables()) == set(SETTINGS)
    assert len(set(variables().values())) == len(SETTINGS)


def test_an_empty_variable_is_unset() -> None:
    """Compose files pass unset variables on as empty ones."""
    environ = {"LLM_TIMEOUT": "", "DB_HOST": "", "CHATD_STORE": "", "CHATD_CONFIG": ""}

    assert load_config(None, environ, {}) == load_config(None, {}, {})


def test_variables_of_kubernetes_are_not_ours() -> None:
    """Service variables of a Kubernetes Service named chatd, db or redis change nothing."""
    environ = {
        "CHATD_SERVICE_HOST": "10.0.0.1",
        "CHATD_SERVICE_PORT_HTTP": "80",
        "CHATD_PORT": "tcp://10.0.0.1:80",
        "CHATD_PORT_80_TCP_ADDR": "10.0.0.1",
        "CHATD_SERVER_PORT": "tcp://10.0.0.1:80",
        "DB_PORT": "tcp://10.0.0.2:5432",
        "REDIS_PORT": "tcp://10.0.0.3:6379",
    }

    assert load_config(None, environ, {}) == load_config(None, {}, {})


@pytest.mark.parametrize(
    "name",
    ["CHATD_TOKEN", "CHATD_TEST_MONGO", "CHATD_FAILPOINTS", "CHATD_MONGO_DRIVER"],
)
def test_variables_of_others(name: str) -> None:
    """Variables that other parts of chatd read are no settings and no mistake."""
    assert load_config(None, {name: "x"}, {}) == load_config(None, {}, {})


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("CHATD_PORT", "CHATD_SERVER_PORT"),
        ("CHATD_ALLOWED_ORIGIN", "CHATD_ALLOWED_ORIGINS"),
        ("CHATD_STORE_URL", "CHATD_STORE"),
        ("CHATD_LLM_TIMEOUT", "LLM_TIMEOUT"),
        ("CHATD_LIMIT_SOCKETS", "CHATD_LIMITS_SOCKETS"),
    ],
)
def test_an_unknown_variable(name: str, meant: str) -> None:
    """A misspelt CHATD_ variable stops the start and says what may have been meant."""
    assert f"{name} in the environment: there is no such setting; did you mean {meant}?" in refused(
        {name: "1"}
    )


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"DB_HOST": "db", "DB_PORT": "5432"}, "DB_PORT=5432 is PostgreSQL's"),
        ({"DB_USER": "postgres"}, "DB_USER=postgres is PostgreSQL's"),
        (
            {"REDIS_HOST": "r"},
            "REDIS_HOST in the environment: this version of chatd cannot use Red",
        ),
        ({"CHATD_BROKER": "redis://r"}, "cannot use Redis yet"),
    ],
)
def test_services_that_chatd_cannot_use(environ: dict[str, str], expected: str) -> None:
    """A service of an older installation is never silently left aside."""
    assert expected in refused(environ)


@pytest.mark.parametrize(
    ("environ", "url"),
    [
        ({"DB_HOST": "db"}, "mongodb://db:27017/chatd"),
        ({"DB_HOST": "db", "DB_PORT": "27018", "DB_NAME": "chat"}, "mongodb://db:27018/chat"),
        (
            {"DB_HOST": "::1", "DB_USER": "me", "DB_PASSWORD": "p@ss/word"},
            "mongodb://me:p%40ss%2Fword@[::1]:27017/chatd",
        ),
        ({"CHATD_STORE": "mongodb://db/chat?tls=true"}, "mongodb://db/chat?tls=true"),
        ({"CHATD_STORE": "mongodb+srv://db.example/chat"}, "mongodb+srv://db.example/chat"),
    ],
)
def test_where_mongodb_is(environ: dict[str, str], url: str) -> None:
    """The DB_ variables are put together into a URL; CHATD_STORE is taken as it is."""
    assert load_config(None, environ, {}).store.url == url


def test_chatd_store_settles_what_db_means() -> None:
    """Who says CHATD_STORE has decided: another program's DB_ variables do not count."""
    environ = {"CHATD_STORE": "sqlite:///a.db", "DB_PORT": "5432", "DB_HOST": "db"}

    assert load_config(None, environ, {}).store.url == "sqlite:///a.db"
