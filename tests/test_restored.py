"""chatd restored: what an operator says after a restore from a backup."""

from __future__ import annotations

import os
from pathlib import Path

from test_cli import Shell

from chatd.store import Store
from chatd.store.transfer import CopyMark
from chatd.stores import open_store
from chatd.types import User, new_id


async def opened(url: str) -> Store:
    """Return an open store."""
    store = open_store(url)
    await store.open()
    return store


async def test_a_restored_store_has_a_new_epoch(url: str, tmp_path: Path) -> None:
    """Clients learn that they must load again; nothing else changes."""
    shell, user = Shell(tmp_path), User(id=new_id(), name="alice")
    store = await opened(url)
    epoch = store.epoch
    await store.add_user(user)
    await store.aclose()

    shell.says("restored", CHATD_STORE=url, **_driver())

    store = await opened(url)
    assert store.epoch != epoch
    assert (await store.get_account(name="alice")).user == user
    await store.set_copy_mark(CopyMark(source="another"))
    await store.aclose()
    sentence = shell.fails("restored", CHATD_STORE=url, **_driver())
    assert "unfinished copy" in sentence


def test_a_server_does_not_hear_of_it(tmp_path: Path) -> None:
    """A server that runs has read the old epoch: it must be stopped."""
    shell = Shell(tmp_path)
    with shell.serving():
        assert "Another chatd serves from" in shell.fails("restored")


def _driver() -> dict[str, str]:
    name = "CHATD_MONGO_DRIVER"
    return {name: os.environ[name]} if name in os.environ else {}
