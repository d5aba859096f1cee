"""The plugins in the documentation do what their pages say: a test for each, by its name."""

from __future__ import annotations

import datetime as dt
import logging
import tomllib
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner
from documented import DOCS, answer, ask, having, kept, write
from transcripts import blocks, files

import chatd
from chatd.cli import main
from chatd.client import TurnFailed
from chatd.testing import ScriptedProvider, Server
from chatd.types import new_token


async def prompted(server: Server, script: ScriptedProvider, text: str = "hi") -> list[str]:
    """Take a turn; return the texts that the model was given."""
    await answer(server, text)
    return [message.content for message in script.prompts[-1].messages]


async def test_brief(tmp_path: Path) -> None:
    """Adds a sentence to what models are sent."""
    script = ScriptedProvider()
    async with having(tmp_path, "brief", script) as server:
        assert await prompted(server, script) == ["Answer in one sentence.", "hi"]


async def test_pirate(tmp_path: Path) -> None:
    """Reads the table of the page, with a secret of the environment."""
    config = files(DOCS / "index.md")["pirate.toml"]
    script = ScriptedProvider()
    async with having(tmp_path, "pirate", script, config=config, PIRATE_KEY="secret") as server:
        assert (await prompted(server, script))[0].endswith("with: Ahoy! Ahoy!")
        assert server.app.plugin_config("pirate")["key"] == "secret"
    for wrong in ("shouts = 10", 'colour = "black"'):
        with pytest.raises(chatd.ConfigError, match=r"\[plugins\.pirate\] (shouts|colour) in "):
            async with having(tmp_path, "pirate", config=f"[plugins.pirate]\n{wrong}"):
                pass


async def test_visits(tmp_path: Path) -> None:
    """Counts visits of each user."""
    async with having(tmp_path, "visits") as server:
        headers = {"Authorization": f"Token {await server.token()}"}
        for number in (1, 2):
            assert (await ask(server, "POST", "/x/visits/", headers=headers)).json() == {
                "visits": number
            }


async def test_summary(tmp_path: Path) -> None:
    """Asks the model beside the turns, of one's own sessions alone."""
    script = ScriptedProvider(["A long story."], ["Short."])
    async with having(tmp_path, "summary", script) as server:
        alice = await server.client("alice")
        session = await alice.sessions.create(model="script/model")
        await alice.turns.send(session.id, "Tell me.")
        path = f"/x/summary/{session.id}/"
        alices, bobs = [
            {"Authorization": f"Token {await server.token(name)}"} for name in ("alice", "bob")
        ]
        assert (await ask(server, "POST", path, headers=alices)).json() == {"summary": "Short."}
        assert (await ask(server, "POST", path, headers=bobs)).status_code == 404
    assert script.prompts[-1].messages[-1].content == "In one sentence:\n\nA long story."


async def test_motd(tmp_path: Path) -> None:
    """Ends the start without its file."""
    config = f'[plugins.motd]\nfile = "{tmp_path}/motd"'
    with pytest.raises(chatd.ConfigError, match=r"^\[plugins\.motd\] file: there is no .*/motd\.$"):
        async with having(tmp_path, "motd", config=config):
            pass
    (tmp_path / "motd").write_text("Hello")
    async with having(tmp_path, "motd", config=config) as server:
        assert server.app.plugin_config("motd")


async def test_starts(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Counts starts across restarts."""
    caplog.set_level(logging.INFO)
    for _ in range(2):
        async with having(tmp_path, "starts"):
            pass
    assert "start number 1" in caplog.text
    assert "start number 2" in caplog.text


async def test_journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Writes a line for a turn, and closes its file at the end."""
    monkeypatch.chdir(tmp_path)
    async with having(tmp_path, "journal", ScriptedProvider()) as server:
        await answer(server)
    assert (tmp_path / "journal.txt").read_text().endswith(" complete\n")


async def test_pulse(tmp_path: Path) -> None:
    """Has a task that ends with chatd, which the store then shows."""
    async with having(tmp_path, "pulse") as server:
        await kept(server, "pulse")
    async with having(tmp_path, "starts") as server:
        last = await server.app.store.get_datum("pulse", "last")
    assert last is not None and last.value == "gone"


async def test_door(tmp_path: Path) -> None:
    """Lets in the key of the environment, and no other."""
    (config,) = blocks(DOCS / "hooks" / "authenticate.md", "toml")
    assert tomllib.loads(config)["plugins"]["enabled"][1] == "door"
    config = config[config.index("[plugins.door]") :]
    async with having(tmp_path, "door", config=config, DOOR_KEY="fits") as server:
        assert (await ask(server, "GET", "/me/", headers={"X-Key": "fits"})).json()["id"] == (
            "door-owner"
        )
        refused = await ask(server, "GET", "/me/", headers={"X-Key": "ümlaut".encode()})
        assert (refused.status_code, refused.json()["detail"]) == (401, "This key does not fit.")


async def test_badge(tmp_path: Path) -> None:
    """Knows a badge by its digest; its owner has an account."""
    badge = new_token()
    config = f'[plugins.badge.badges]\n{chatd.digest_token(badge)} = "bob"'
    async with having(tmp_path, "badge", config=config) as server:
        assert (await ask(server, "GET", "/me/", headers={"X-Badge": badge})).json()["name"] == (
            "bob"
        )
        assert (await ask(server, "GET", "/me/", headers={"X-Badge": "x"})).status_code == 401
        assert [a.user.name for a in await server.app.store.list_accounts()] == ["bob"]


async def test_pin(tmp_path: Path) -> None:
    """Signs in by a PIN, with five wrong tries."""
    async with having(tmp_path, "pin", config='[plugins.pin]\npin = "1234"') as server:
        good = await ask(server, "POST", "/sign_in/", json={"pin": "1234"})
        assert good.json()["user"]["name"] == "owner of the PIN"
        wrong = [await ask(server, "POST", "/sign_in/", json={"pin": "0"}) for _ in range(6)]
        assert [each.status_code for each in wrong] == [401] * 5 + [429]
        assert int(wrong[-1].headers["Retry-After"]) > 0


async def test_directory(tmp_path: Path) -> None:
    """Asks another server for names and passwords; here that is a path of a plugin."""

    class Other(chatd.RouteHandler):
        is_public = True

        def get(self) -> None:
            good = httpx.BasicAuth("bob", "secret")._auth_header
            self.set_status(200 if self.request.headers["Authorization"] == good else 403)

    class Users:
        @chatd.hookimpl
        def register_routes(self) -> Any:
            return [("", Other)]

    right = {"login": "bob", "password": "secret"}
    async with having(tmp_path / "other", "clock", Users()) as other:
        config = f'[plugins.directory]\nurl = "{other.url}/x/Users/"'
        async with having(tmp_path, "directory", config=config) as server:
            signed_in = await ask(server, "POST", "/sign_in/", json=right)
            wrong = await ask(server, "POST", "/sign_in/", json=right | {"password": "x"})
    assert signed_in.json()["user"]["name"] == "bob"
    assert wrong.status_code == 401
    config = '[plugins.directory]\nurl = "http://localhost:1/"'
    async with having(tmp_path, "directory", config=config) as server:
        assert (await ask(server, "POST", "/sign_in/", json=right)).status_code == 503


async def test_parrot(tmp_path: Path) -> None:
    """Says what is said."""
    async with having(tmp_path, "parrot") as server:
        assert await answer(server, "good day", "parrot/parrot") == "good day "


async def test_reader(tmp_path: Path) -> None:
    """Has a model for each file."""
    (tmp_path / "poem.txt").write_text("One\nTwo\n")
    config = f'[plugins.reader]\ndirectory = "{tmp_path}"'
    async with having(tmp_path, "reader", config=config) as server:
        assert await answer(server, model="reader/poem") == "One\nTwo\n"


async def test_poet(tmp_path: Path) -> None:
    """Has one preset for everybody."""
    async with having(tmp_path, "poet") as server:
        alice = await server.client("alice")
        assert (await alice.presets.get("poet-1")).system_prompt == "Answer in rhyme."


async def test_team(tmp_path: Path) -> None:
    """Has presets for the staff, and nobody else."""
    async with having(tmp_path, "team") as server:
        staff, other = await server.client("s", roles=("staff",)), await server.client("o")
        (preset,) = [each async for each in staff.presets.list()]
        assert (await staff.presets.get(preset.id)).name == "Reviewer"
        assert [each async for each in other.presets.list()] == []


async def test_clock(tmp_path: Path) -> None:
    """Tells the time to who is signed in."""
    async with having(tmp_path, "clock") as server:
        headers = {"Authorization": f"Token {await server.token()}"}
        told = (await ask(server, "GET", "/x/clock", headers=headers)).json()
        assert told["user"] == "alice"
        assert dt.datetime.fromisoformat(told["time"]) <= chatd.now()
        assert (await ask(server, "GET", "/x/clock")).status_code == 401


async def test_notes(tmp_path: Path) -> None:
    """Keeps each user's notes; how many were written is public."""
    async with having(tmp_path, "notes") as server:
        mine = {"Authorization": f"Token {await server.token()}"}
        other = {"Authorization": f"Token {await server.token('bob')}"}
        put = await ask(server, "PUT", "/x/notes/milk", headers=mine, json={"text": "buy"})
        assert (put.status_code, put.json()) == (201, {"text": "buy"})
        assert (await ask(server, "GET", "/x/notes/milk/", headers=mine)).json() == {"text": "buy"}
        assert (await ask(server, "GET", "/x/notes/milk", headers=other)).status_code == 404
        wrong = await ask(server, "PUT", "/x/notes/milk", headers=mine, json={"text": "x" * 1001})
        assert (wrong.status_code, [*wrong.json()["errors"]]) == (400, ["text"])
        assert (await ask(server, "GET", "/x/notes")).json() == {"writes": 1}


def called(tmp_path: Path, plugin: str, *arguments: str) -> str:
    """Return what a command of a documented plugin prints."""
    write(tmp_path, plugin)
    environ = {
        "CHATD_DATA_DIR": str(tmp_path / "data"),
        "CHATD_PLUGINS_DIR": str(tmp_path),
        "CHATD_PLUGINS_ENABLED": plugin,
    }
    done = CliRunner().invoke(main, arguments, env=environ)
    assert done.exit_code == 0, done.output
    return done.stdout


def test_greet(tmp_path: Path) -> None:
    """Is a command."""
    assert called(tmp_path, "greet", "greet", "Ada") == "Hello, Ada!\n"


def test_roster(tmp_path: Path) -> None:
    """Is a command that reads the store."""
    called(tmp_path, "roster", "users", "add", "alice")
    assert called(tmp_path, "roster", "roster") == "alice\n"


async def test_school(tmp_path: Path) -> None:
    """Refuses some turns, which store nothing."""
    async with having(tmp_path, "school", ScriptedProvider()) as server:
        assert await answer(server) == "hello world"
        with pytest.raises(chatd.Forbidden, match="Do it yourself"):
            await answer(server, "Do my homework")


async def test_daily(tmp_path: Path) -> None:
    """Refuses the eleventh turn of a day until midnight."""
    async with having(tmp_path, "daily", ScriptedProvider()) as server:
        with pytest.raises(chatd.RateLimited, match="10 turns a day") as refused:
            for _ in range(21):  # at midnight ten more
                await answer(server)
    assert refused.value.retry_after


async def test_polite(tmp_path: Path) -> None:
    """Adds a sentence."""
    script = ScriptedProvider()
    async with having(tmp_path, "polite", script) as server:
        assert await prompted(server, script) == ["Be polite.", "hi"]


async def test_memory(tmp_path: Path) -> None:
    """Remembers for a user, in the store."""
    script = ScriptedProvider()
    async with having(tmp_path, "memory", script) as server:
        assert await prompted(server, script) == ["hi"]
        await prompted(server, script, "Remember: I am left-handed")
        assert await prompted(server, script) == ["About the user: I am left-handed", "hi"]


async def test_alarm(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Logs a failed turn with its code."""
    script = ScriptedProvider([chatd.ProviderBusy()])
    async with having(tmp_path, "alarm", script) as server:
        with pytest.raises(TurnFailed):
            await answer(server)
    assert "failed: provider_busy" in caplog.text


async def test_tokens(tmp_path: Path) -> None:
    """Counts tokens."""
    script = ScriptedProvider(["hi", chatd.Usage(total_tokens=7)])
    async with having(tmp_path, "tokens", script) as server:
        await answer(server)
        assert await kept(server, "tokens") == [7]
