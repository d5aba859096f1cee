"""The tables and indexes of the SQLite store.

A row holds a value of chatd.types whole, as JSON in `document`, and beside it what the store looks
for or counts: a page of 50 messages is read 2.4 times as fast as from a column for each field.
Times in columns are milliseconds since 1970. Other columns of JSON are NULL when empty.
"""

from __future__ import annotations

import secrets
from sqlite3 import Connection

from chatd.errors import ConfigError
from chatd.stores.sqlite import data, search
from chatd.stores.versions import Migration, lacking, refuse_old
from chatd.types import now

# Version 1 is what chatd began with. A new store is made as the last one has it.
MIGRATIONS: tuple[Migration[search.Batch], ...] = (
    Migration(2, "make an index of what messages say, to search them", search.build, 1),
    Migration(3, "make a place for what plugins keep", data.migrate, 1),
)

_TABLES = """
CREATE TABLE meta (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE users (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,  -- found and listed by name
    is_active INTEGER NOT NULL,
    document TEXT NOT NULL  -- Account
) STRICT, WITHOUT ROWID;

CREATE TABLE tokens (
    digest TEXT PRIMARY KEY,  -- how every request finds its user
    id TEXT NOT NULL UNIQUE,  -- how the command line revokes one
    user_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER,
    document TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE sessions (
    key INTEGER PRIMARY KEY,  -- by which messages name their session; it never leaves the store
    id TEXT NOT NULL UNIQUE,
    user_id TEXT NOT NULL,
    is_active INTEGER NOT NULL,
    title_folded TEXT NOT NULL,  -- what a search by title compares, in any case
    created_at INTEGER NOT NULL,
    last_message_at INTEGER,
    activity_at INTEGER NOT NULL AS (coalesce(last_message_at, created_at)),

    seq INTEGER NOT NULL DEFAULT 0,  -- the last one given to a message
    revision INTEGER NOT NULL DEFAULT 0,  -- the last one given to a change of a message
    branch INTEGER NOT NULL DEFAULT 0,  -- the one shown
    branches TEXT,  -- {branch: [parent branch, seq after which it leaves it]}; 0 has no parent

    slot_generation_id TEXT,  -- NULL while the slot is free, and so are the other five
    slot_node TEXT,
    slot_boot TEXT,
    slot_lease INTEGER,
    slot_previous_branch INTEGER,
    slot TEXT,  -- the Slot as it was taken

    -- The session's part of its user's Stats, counted by the write that frees the slot.
    user_messages INTEGER NOT NULL DEFAULT 0,
    assistant_messages INTEGER NOT NULL DEFAULT 0,
    prompt_tokens INTEGER NOT NULL DEFAULT 0,
    completion_tokens INTEGER NOT NULL DEFAULT 0,
    total_tokens INTEGER NOT NULL DEFAULT 0,
    models TEXT,  -- {model: answers}
    first_message_at INTEGER,

    document TEXT NOT NULL
) STRICT;

CREATE TABLE messages (
    key INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,  -- how a message is read, checkpointed and ended
    session INTEGER NOT NULL,  -- sessions.key
    branch INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    revision INTEGER NOT NULL,
    status TEXT NOT NULL,
    client_id TEXT,
    checkpoint_seq INTEGER NOT NULL DEFAULT 0,  -- the entry of the log up to which content reaches
    document TEXT NOT NULL,
    -- What a search looks through: nothing while a message streams, and no second copy on disk.
    search_text TEXT AS (
        CASE status WHEN 'streaming' THEN NULL ELSE json_extract(document, '$.content') END
    )
) STRICT;

CREATE TABLE presets (
    id TEXT PRIMARY KEY,
    owner TEXT NOT NULL,
    name TEXT NOT NULL,
    is_public INTEGER NOT NULL,
    document TEXT NOT NULL
) STRICT;

CREATE TABLE models (
    id TEXT PRIMARY KEY,
    provider TEXT NOT NULL,
    name TEXT NOT NULL,
    is_default INTEGER NOT NULL,
    is_disabled INTEGER NOT NULL DEFAULT 0,  -- by an administrator: no provider makes it active
    document TEXT NOT NULL
) STRICT, WITHOUT ROWID;
"""

_INDEXES = """
-- Tokens in the order of the command line's list; tickets apart from them.
CREATE INDEX tokens_by_kind ON tokens (kind, created_at);
-- What has expired is erased when the next one is added.
CREATE INDEX tokens_by_expiry ON tokens (expires_at) WHERE expires_at IS NOT NULL;

-- A user's list of sessions, latest activity first, paged by (activity_at, id); and Stats.
CREATE INDEX sessions_by_activity ON sessions (user_id, is_active, activity_at, id);
-- The sweep for generations whose process is gone: only running ones are in it, and it tells from
-- the index alone who holds them.
CREATE INDEX sessions_by_lease ON sessions (slot_lease, slot_node, slot_boot)
    WHERE slot_lease IS NOT NULL;

-- All branches in order, and the answer after a user's message; no seq can be given twice.
CREATE UNIQUE INDEX messages_by_seq ON messages (session, seq);
-- What a client missed since a revision; none can be given twice.
CREATE UNIQUE INDEX messages_by_revision ON messages (session, revision);
-- A shown branch: one range for each of its segments.
CREATE INDEX messages_by_branch ON messages (session, branch, seq);
-- A repeated send finds its first, and cannot be stored twice.
CREATE UNIQUE INDEX messages_by_client_id ON messages (session, client_id)
    WHERE client_id IS NOT NULL;

-- A user's presets, and everybody's public ones, by name.
CREATE INDEX presets_by_owner ON presets (owner, name);
CREATE INDEX presets_public ON presets (name) WHERE is_public = 1;

-- What a provider listed before, and all models in order.
CREATE UNIQUE INDEX models_by_provider ON models (provider, name);
-- The default, at most one.
CREATE UNIQUE INDEX models_default ON models (is_default) WHERE is_default = 1;
"""


def prepare(connection: Connection) -> str:
    """Create what a new file lacks and return the store's epoch. Raises ConfigError."""
    if not connection.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchone():
        _create(connection)
    version, compatible_from = versions(connection)
    lacking(MIGRATIONS, version, compatible_from)
    refuse_old(MIGRATIONS, version)
    row = connection.execute("SELECT value FROM meta WHERE name = 'epoch'").fetchone()
    return str(row[0])


def versions(connection: Connection) -> tuple[int, int]:
    """Return the version of a store, and the oldest whose code can use it. Raises ConfigError."""
    if not connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'meta'").fetchone():
        raise ConfigError("This SQLite file was not made by chatd.")
    meta: dict[str, str] = dict(connection.execute("SELECT name, value FROM meta").fetchall())
    version = int(meta["schema_version"])
    return version, int(meta.get("compatible_from", version))


def set_version(connection: Connection, migration: Migration[search.Batch]) -> None:
    """Note that a store has been migrated."""
    connection.executemany(
        "INSERT INTO meta (name, value) VALUES (?, ?)"
        " ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        [
            ("schema_version", str(migration.version)),
            ("compatible_from", str(migration.compatible_from)),
        ],
    )


def _create(connection: Connection) -> None:
    for statement in (_TABLES + _INDEXES).split(";\n"):
        connection.execute(statement)
    data.migrate(connection)
    search.create(connection)
    set_version(connection, MIGRATIONS[-1])
    epoch = secrets.token_hex(16)
    connection.execute("INSERT INTO meta (name, value) VALUES ('epoch', ?)", (epoch,))


def touch(connection: Connection) -> None:
    """Write something, to see that the file takes writes."""
    connection.execute(
        "INSERT INTO meta (name, value) VALUES ('touched_at', ?)"
        " ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        (now().isoformat(),),
    )
