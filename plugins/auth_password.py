"""Signs in by name and password; the core gives a token for it, which auth_token then lets in."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import importlib.util
import re
import sys
import unicodedata
import weakref
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import marshmallow as ma
from marshmallow import validate

import chatd

if TYPE_CHECKING:
    import click

PLUGIN = "auth_password"
SHORTEST, LONGEST, LONGEST_NAME = 8, 1024, 64  # characters of a password; of a name
WAITING = 64  # who waits for a hash to be computed; the next one is sent away
NEW_NAME = re.compile(rf"[\w.@+-]{{1,{LONGEST_NAME}}}")


def _whole(default: int, low: int, high: int) -> ma.fields.Integer:
    return ma.fields.Integer(load_default=default, strict=True, validate=validate.Range(low, high))


class ConfigSchema(ma.Schema):
    """The table [plugins.auth_password]."""

    register = ma.fields.Boolean(load_default=False)
    tries_per_account = _whole(10, 1, 10_000)
    tries_per_address = _whole(30, 1, 100_000)
    window = _whole(900, 1, 86_400)
    proxies = ma.fields.List(chatd.addresses.NetworkField(), load_default=[])
    time_cost = _whole(3, 1, 100)
    memory_kib = _whole(65_536, 8, 4_194_304)
    parallelism = _whole(4, 1, 64)
    at_once = _whole(2, 1, 64)


class Passwords:
    """The passwords of an App. argon2 runs in threads, some at a time; the loop never waits."""

    def __init__(self, app: chatd.App) -> None:
        self.config, self._store = app.plugin_config(PLUGIN), app.store
        self._names = chatd.Tries(self.config["tries_per_account"], self.config["window"])
        self._addresses = chatd.Tries(self.config["tries_per_address"], self.config["window"])
        self._turns, self._waiting = asyncio.Semaphore(self.config["at_once"]), 0

    @functools.cached_property
    def _hasher(self) -> Any:
        from argon2 import PasswordHasher

        config = self.config
        return PasswordHasher(config["time_cost"], config["memory_kib"], config["parallelism"])

    @functools.cached_property
    def _nobodys(self) -> str:
        """A hash to compare with where there is none, so that it takes as long."""
        return str(self._hasher.hash(chatd.new_id()))

    async def check(self, request: chatd.Request, name: str, password: str) -> chatd.SignedIn:
        """Return the user with this password. Raises Unauthenticated, the same for every reason."""
        folded = _folded(name)
        address = self.take(request, folded)
        found = [await self._store.get_account(name=one) for one in (_shown(name), folded)]
        account = found[0] or found[1]
        kept = await self.find(account.user.id if account else "", password)
        if account is None or not account.is_active or kept is None:
            raise chatd.Unauthenticated("The name or the password is wrong.")
        self.give_back(address, folded)
        is_still_good = functools.partial(self._is_still, account.user.id, kept, password)
        return chatd.SignedIn(user=account.user, is_still_good=is_still_good)

    async def _is_still(self, user_id: str, kept: Any, password: str) -> bool:
        now = await self._store.get_datum(PLUGIN, user_id)
        # With another hash it may be the same: another sign-in has made it anew.
        return bool(now and now.value == kept.value) or bool(await self.find(user_id, password))

    def take(self, request: chatd.Request, name: str = "") -> str:
        """Count a try, of names that nobody has too; return its address. Raises RateLimited."""
        address = chatd.addresses.client_address(request, self.config["proxies"])
        self._addresses.take(address)
        if name:
            self._names.take(chatd.digest_token(name))
        return address

    def give_back(self, address: str, name: str) -> None:
        """Take back a try that was right."""
        self._addresses.give_back(address)
        self._names.give_back(chatd.digest_token(name))

    async def find(self, user_id: str, password: str) -> Any:
        """Return what is kept of a user if this is their password, else None, in the same time.

        A hash that took less work than is wanted now is made anew.
        """
        kept = await self._store.get_datum(PLUGIN, user_id or "nobody")
        known = str(kept.value["hash"]) if kept else None
        password = _normal(password)
        is_possible = SHORTEST <= len(password) <= LONGEST
        given = password if is_possible else "x" * SHORTEST
        is_right, is_weak = await self._compute(functools.partial(self._compare, known, given))
        if not (is_right and is_possible):
            return None
        if is_weak:
            hashed = await self._compute(functools.partial(self._hasher.hash, password))
            with contextlib.suppress(chatd.PreconditionFailed):  # somebody else has just done it
                return await self._store.put_datum(
                    PLUGIN, user_id, {"hash": hashed}, version=kept.version if kept else 0
                )
        return kept

    def _compare(self, known: str | None, password: str) -> tuple[bool, bool]:
        """Return whether a password is right, and whether its hash took less than is wanted."""
        from argon2 import exceptions, extract_parameters

        try:
            self._hasher.verify(known or self._nobodys, password)
        except (exceptions.InvalidHashError, exceptions.VerificationError):
            return False, False
        used, config = extract_parameters(known or self._nobodys), self.config
        is_weak = used.time_cost < config["time_cost"] or used.memory_cost < config["memory_kib"]
        return known is not None, is_weak

    async def set(self, user_id: str, password: str, *, version: int | None = None) -> None:
        """Keep a user's password. Raises InvalidInput, PreconditionFailed."""
        password = _normal(password)
        if not SHORTEST <= len(password) <= LONGEST:
            raise _invalid("password", f"{SHORTEST} to {LONGEST} characters.")
        hashed = await self._compute(functools.partial(self._hasher.hash, password))
        await self._store.put_datum(PLUGIN, user_id, {"hash": hashed}, version=version)

    async def change(self, user: chatd.User, request: chatd.Request, old: str, new: str) -> None:
        """Replace a user's password; all tokens but the one in use end. Raises Forbidden."""
        address = self.take(request, _folded(user.name))
        kept = await self.find(user.id, old)
        if kept is None:
            raise chatd.Forbidden("The old password is wrong.")
        self.give_back(address, _folded(user.name))
        await self.set(user.id, new, version=kept.version)
        await self.revoke(user.id, but=chatd.digest_token(request.token or ""))

    async def register(self, request: chatd.Request, name: str, password: str) -> chatd.User:
        """Make an account. Raises InvalidInput, Conflict when the name is taken."""
        self.take(request)
        name = _folded(name)
        if not NEW_NAME.fullmatch(name):
            raise _invalid("name", f"1 to {LONGEST_NAME} letters, digits and _.@+-.")
        if name == "owner" or await self._store.get_account(name=name):
            raise chatd.Conflict("This name is taken.")
        user_id = chatd.new_id()
        # First: an account without a password would keep its name from everybody.
        await self.set(user_id, password, version=0)
        try:
            return await chatd.registered_user(self._store, PLUGIN, name, id=user_id)
        except chatd.Conflict:
            await self._store.delete_datum(PLUGIN, user_id)
            raise

    async def revoke(self, user_id: str, *, but: str = "") -> int:
        """End the tokens of a user; return how many."""
        tokens = [token for token, user in await self._store.list_tokens() if user.id == user_id]
        others = [token for token in tokens if token.digest != but]
        for token in others:
            await self._store.revoke_token(token.id)
        return len(others)

    async def _compute(self, work: Callable[[], Any]) -> Any:
        if self._waiting >= WAITING:
            raise chatd.Unavailable("Too many are signing in; try again.", retry_after=1)
        self._waiting += 1
        try:
            async with self._turns:
                return await asyncio.to_thread(work)
        finally:
            self._waiting -= 1


def _invalid(field: str, expected: str) -> chatd.InvalidInput:
    return chatd.InvalidInput(f"A {field} has {expected}", errors={field: [f"Expected {expected}"]})


def _normal(password: str) -> str:
    """Return a password in one of the ways of writing the same letters (RFC 8265, section 4)."""
    return unicodedata.normalize("NFC", password) if len(password) <= 4 * LONGEST else ""


def _shown(name: str) -> str:
    name = name if len(name) <= 4 * LONGEST_NAME else "-" * 99  # nobody's; there may be megabytes
    return unicodedata.normalize("NFKC", name).strip()


def _folded(name: str) -> str:
    """Return a name as new accounts have it: one for all ways of writing it."""
    return unicodedata.normalize("NFKC", _shown(name).casefold())


_passwords: weakref.WeakKeyDictionary[chatd.App, Passwords] = weakref.WeakKeyDictionary()


@chatd.hookimpl
def startup(app: chatd.App) -> None:
    """Make what checks passwords."""
    if not importlib.util.find_spec("argon2"):
        raise chatd.ConfigError("auth_password needs argon2: pip install 'chatd[password]'.")
    if "auth_token" not in app.config.plugins.enabled:
        raise chatd.ConfigError("auth_password gives tokens, which auth_token lets in: add that.")
    _passwords[app] = Passwords(app)


@chatd.hookimpl
async def sign_in(
    app: chatd.App, credentials: Mapping[str, Any], request: chatd.Request
) -> chatd.SignedIn | None:
    """Return the user of {"name": ..., "password": ...}."""
    match credentials:
        case {"name": str(name), "password": str(password)}:
            return await _passwords[app].check(request, name, password)
    return None


_TEXT = ma.fields.String(required=True)
REGISTRATION = ma.Schema.from_dict({"name": _TEXT, "password": _TEXT})()
CHANGE = ma.Schema.from_dict({"old_password": _TEXT, "new_password": _TEXT})()


class RegisterHandler(chatd.RouteHandler):
    """Making an account."""

    is_public = True

    async def post(self) -> None:
        """Make one; its user signs in afterwards."""
        fields = self.body(REGISTRATION)
        user = await _passwords[self.app].register(self.credentials(), **fields)
        self.send({"id": user.id, "name": user.name}, 201)


class ChangeHandler(chatd.RouteHandler):
    """The caller's own password."""

    async def post(self) -> None:
        """Replace it."""
        fields = self.body(CHANGE)
        await _passwords[self.app].change(
            self.user, self.credentials(), fields["old_password"], fields["new_password"]
        )
        self.set_status(204)


@chatd.hookimpl
def register_routes(app: chatd.App) -> list[Any]:
    """Serve the change of passwords, and making accounts if that is allowed."""
    may_register = app.plugin_config(PLUGIN)["register"]
    return [("change", ChangeHandler), *([("register", RegisterHandler)] if may_register else [])]


@chatd.hookimpl
def register_commands(cli: click.Group) -> None:
    """Add `chatd password`."""
    import click

    @cli.command()
    @click.argument("name")
    @click.option("--remove", is_flag=True, help="Take the password away: only tokens are left.")
    def password(name: str, remove: bool) -> None:
        """Set the password of the user NAME, whose tokens all end.

        It is asked for, or read from stdin when that is no terminal; never an argument.
        """
        given: str | None = None
        if not remove and sys.stdin.isatty():
            given = click.prompt("Password", hide_input=True, confirmation_prompt=True)
        elif not remove:
            given = sys.stdin.readline().rstrip("\r\n")
        chatd.with_app(functools.partial(_set, name, given))


async def _set(name: str, password: str | None, app: chatd.App) -> None:
    import click

    account = await app.store.get_account(name=name)
    if account is None:
        raise chatd.NotFound(f"There is no user {name}; add them with: chatd users add {name}")
    passwords = Passwords(app)
    if password is None:
        await app.store.delete_datum(PLUGIN, account.user.id)
    else:
        await passwords.set(account.user.id, password)
    revoked = await passwords.revoke(account.user.id)
    done = "has no password now" if password is None else "has a new password"
    click.echo(f"{name} {done}; tokens revoked: {revoked}.", err=True)
