"""The plugin auth_anonymous: a server for whoever sits at the machine."""

from __future__ import annotations

import contextlib
import socket
from pathlib import Path

import pytest
from faces import FACES, REFUSED, Caller, configured
from harness import Chat, Script, chatting

from chatd.errors import ConfigError

CONFIG = """
[plugins]
enabled = ["auth_token", "auth_anonymous", "presets_store"]
"""


def chat_at(
    directory: Path, more: str = "", **settings: str
) -> contextlib.AbstractAsyncContextManager[Chat]:
    """Run a chatd for who sits at this machine."""
    return chatting(
        directory, Script(), **configured(directory / "conf", CONFIG + more), **settings
    )


@pytest.mark.parametrize("face", FACES)
async def test_without_credentials(tmp_path: Path, face: str) -> None:
    """Whoever comes from this machine is the owner, over every face."""
    async with chat_at(tmp_path) as chat:
        caller = Caller(chat.url)
        assert await caller.turn(face) == "hello world"
        assert (await caller.me())["name"] == "owner"
        assert (await caller.me())["roles"] == ["admin"]


STRANGE = [
    {"Host": "evil.example.com"},
    {"Host": "evil.example.com:8000", "Origin": "http://evil.example.com:8000"},
    {"Host": "localhost.evil.example.com"},
    {"X-Forwarded-For": "127.0.0.1"},
    {"forwarded": "for=127.0.0.1"},
    {"x-real-ip": "127.0.0.1"},
    {"via": "1.1 proxy"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Authorization": "Token unknown"},
    {"Authorization": "Basic unknown"},
]
NO_HOSTS = [{"Host": host} for host in ("", "localhost@evil.com", "localhost, evil.com", "[::1")]


@pytest.mark.parametrize("face", FACES)
async def test_not_this_machines_user(tmp_path: Path, face: str) -> None:
    """A rebound name, a proxy's request, another site's page, a wrong token: nobody gets in."""
    async with chat_at(tmp_path) as chat:
        for headers in STRANGE + (NO_HOSTS if face != "socket" else []):
            caller = Caller(chat.url, headers)
            # Tornado itself refuses a Host that is none, and sockets of other sites.
            assert await caller.refusal(face) in (400, 401, 403, REFUSED), headers


async def test_hosts(tmp_path: Path) -> None:
    """The names of this machine, and those that the operator adds, with any port."""
    more = '[plugins.auth_anonymous]\nhosts = ["localhost", "127.0.0.1", "[::1]", "My.Home"]\n'
    async with chat_at(tmp_path, more) as chat:
        for host in ("localhost", "LOCALHOST:1", "127.0.0.1", "[::1]:8000", "my.home"):
            assert (await Caller(chat.url, {"Host": host}).me())["name"] == "owner"


async def test_from_another_address(tmp_path: Path) -> None:
    """Only connections of the loopback count, whatever they say their host is."""
    async with chat_at(tmp_path) as chat:
        request = chat_request(peer="192.0.2.1")
        assert await chat.app.plugins.first("authenticate", app=chat.app, request=request) is None
        request = chat_request(peer="::ffff:127.0.0.1")
        assert await chat.app.plugins.first("authenticate", app=chat.app, request=request)


def chat_request(peer: str):  # type: ignore[no-untyped-def]
    """Return a request from an address that this machine may not have."""
    from chatd.types import Request

    return Request(method="GET", path="/", headers={"Host": "localhost"}, peer=peer)


@pytest.mark.parametrize("face", FACES)
async def test_foreign_pages(tmp_path: Path, face: str) -> None:
    """A page of another origin is refused, though its browser sits at this machine."""
    async with chat_at(tmp_path) as chat:
        assert await Caller(chat.url, {"Origin": "https://evil.example.com"}).refusal(face) == 403


async def test_a_user_of_ones_own(tmp_path: Path) -> None:
    """`user` names whose account it is; disabled, it is nobody's."""
    async with chat_at(tmp_path, '[plugins.auth_anonymous]\nuser = "me"\n') as chat:
        caller = Caller(chat.url)
        me = await caller.me()
        assert (me["name"], me["roles"]) == ("me", [])
        await chat.app.store.update_account(me["id"], is_active=False)
        assert await caller.refusal("rest") == 401


async def test_tokens_still_count(tmp_path: Path) -> None:
    """Who brings a token is its user."""
    async with chat_at(tmp_path) as chat:
        alice = await chat.client("alice")
        caller = Caller(chat.url, {"Authorization": f"Token {alice.token}"})
        assert (await caller.me())["name"] == "alice"


async def test_a_server_for_others(tmp_path: Path) -> None:
    """A server that others can reach does not start with it."""
    for host in ("0.0.0.0", "::", "", "192.0.2.1", socket.gethostname()):
        with pytest.raises(ConfigError, match=r"auth_anonymous .*host must be 127\.0\.0\.1"):
            async with chat_at(tmp_path, f'[server]\nhost = "{host}"\n'):
                pass


async def test_every_origin(tmp_path: Path) -> None:
    """With pages of every origin the start is refused."""
    settings = {"CHATD_ALLOWED_ORIGINS": "*", "CHATD_SERVER_DEV": "true"}
    with pytest.raises(ConfigError, match="auth_anonymous with allowed_origins"):
        async with chat_at(tmp_path, **settings):
            pass


@pytest.mark.parametrize("host", ["*", "localhost:8000", "http://localhost", ""])
async def test_hosts_that_are_none(tmp_path: Path, host: str) -> None:
    """A host with a port, or for all, stops the start."""
    with pytest.raises(ConfigError, match=r"\[plugins\.auth_anonymous\] hosts"):
        async with chat_at(tmp_path, f'[plugins.auth_anonymous]\nhosts = ["{host}"]\n'):
            pass
