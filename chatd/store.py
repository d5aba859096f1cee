"""The contract of a store: what chatd keeps, and what it relies on when it keeps it.

Every store runs the same test suite. What it must give:

* A write has reached the disk when its call returns (checkpoints and leases alone may be weaker).
  A call that raises StoreUnavailable may or may not have been carried out.
* Every read and write of a user's data takes the user's id and raises NotFound for another's; the
  few that do not are fenced by a generation's id instead and are called by `generations` only.
* No call needs a transaction over more than one row: each is one compare-and-set, or an ordered
  insert, or can be repeated. Two calls of one turn can have a crash between them; `generations`
  says how that is mended.
* `seq` and `revision` count from 1 within a session and are given in the order in which the
  messages become visible.
* Values come back as they were put in: times in whole milliseconds, text without NUL and
  surrogates, JSON objects with their keys in any order.
"""

from __future__ import annotations

import abc
from collections.abc import Mapping, Sequence
from typing import Any

from chatd.provider import ModelInfo, PromptMessage
from chatd.types import (
    Abandoned,
    Account,
    Checkpoint,
    Head,
    Message,
    MessagePage,
    Model,
    ModelChanges,
    Preset,
    Session,
    SessionPage,
    Slot,
    Stats,
    Token,
    Turn,
    User,
)


class Store(abc.ABC):
    """Where chatd keeps everything. `epoch` names the data; a restored backup has a new one."""

    epoch: str

    @abc.abstractmethod
    async def open(self) -> None:
        """Connect, and bring the schema up if the store is new."""

    @abc.abstractmethod
    async def aclose(self) -> None:
        """Finish what was begun, and disconnect."""

    @abc.abstractmethod
    async def ping(self) -> None:
        """Return when the store takes writes; raise StoreUnavailable when it does not."""

    @abc.abstractmethod
    async def add_user(self, user: User) -> None:
        """Keep a new user. Raises Conflict when the name is taken."""

    @abc.abstractmethod
    async def get_account(self, *, user_id: str = "", name: str = "") -> Account | None:
        """Return the account with this id or this name, disabled or not."""

    @abc.abstractmethod
    async def list_accounts(self) -> list[Account]:
        """Return all accounts by name."""

    @abc.abstractmethod
    async def update_account(
        self,
        user_id: str,
        *,
        preferences: Mapping[str, Any] | None = None,
        roles: Sequence[str] | None = None,
        is_active: bool | None = None,
    ) -> Account:
        """Change what is given; preferences merge key by key, None removes a key.

        Raises NotFound.
        """

    @abc.abstractmethod
    async def add_token(self, token: Token) -> None:
        """Keep a token or a ticket. A token with the digest of an old one replaces it."""

    @abc.abstractmethod
    async def find_token(self, digest: str) -> tuple[Token, User] | None:
        """Return an unexpired token (never a ticket) and its user, if that account is active."""

    @abc.abstractmethod
    async def take_ticket(self, digest: str, kind: str) -> tuple[Token, User] | None:
        """Use up an unexpired ticket: of all callers only one gets it, with its active user."""

    @abc.abstractmethod
    async def list_tokens(self) -> list[tuple[Token, User]]:
        """Return all unexpired tokens (no tickets), oldest first, with their users."""

    @abc.abstractmethod
    async def revoke_token(self, token_id: str) -> bool:
        """Erase a token by id; return whether it was there."""

    @abc.abstractmethod
    async def add_session(self, user_id: str, session: Session) -> None:
        """Keep a new session."""

    @abc.abstractmethod
    async def get_session(self, user_id: str, session_id: str) -> Session:
        """Return the user's session, deleted or not. Raises NotFound."""

    @abc.abstractmethod
    async def get_head(self, user_id: str, session_id: str) -> Head:
        """Return the session with its newest revision and its slot. Raises NotFound."""

    @abc.abstractmethod
    async def list_sessions(
        self,
        user_id: str,
        *,
        is_active: bool | None = True,
        query: str = "",
        limit: int = 50,
        cursor: str = "",
    ) -> SessionPage:
        """Return the user's sessions by their last activity, the latest first.

        Creation counts as activity. `query` is text that the title contains, in any case; is_active
        None means all. Raises BadRequest for a cursor that this method did not return.
        """

    @abc.abstractmethod
    async def update_session(
        self,
        user_id: str,
        session_id: str,
        changes: Mapping[str, Any],
        *,
        version: int | None = None,
    ) -> Session:
        """Set fields of a session, and give it the next version if that changes anything.

        `settings` in changes merge key by key, as do its `options`; a value None removes a key.
        Raises NotFound, and PreconditionFailed when `version` is given and not the present one.
        """

    @abc.abstractmethod
    async def purge_session(
        self, user_id: str, session_id: str, *, version: int | None = None
    ) -> None:
        """Erase a session and its messages.

        Raises NotFound, PreconditionFailed, GenerationRunning.
        """

    @abc.abstractmethod
    async def list_messages(
        self,
        user_id: str,
        session_id: str,
        *,
        before: int | None = None,
        after: int | None = None,
        since: int | None = None,
        all_branches: bool = False,
        limit: int = 50,
    ) -> MessagePage:
        """Return messages of the shown branch, or of all, in ascending order.

        Without bounds the newest `limit`; `before` and `after` are seqs, not included. With `since`
        the messages of all branches whose revision is greater, by revision. A streaming message is
        left out except with `since` and `all_branches`. Raises NotFound.
        """

    @abc.abstractmethod
    async def get_message(self, user_id: str, session_id: str, message_id: str) -> Message:
        """Return one message. Raises NotFound."""

    @abc.abstractmethod
    async def history(
        self, user_id: str, session_id: str, *, max_chars: int
    ) -> list[PromptMessage]:
        """Return the newest ended messages with a text of the shown branch, oldest first.

        As many as max_chars holds uncut, but at least one. The cost does not grow with the session.
        """

    @abc.abstractmethod
    async def find_turn(self, user_id: str, session_id: str, client_id: str) -> Turn | None:
        """Return the turn stored with this client_id, if any. Raises NotFound for the session."""

    @abc.abstractmethod
    async def take_slot(
        self,
        user_id: str,
        session_id: str,
        slot: Slot,
        *,
        lease: float,
        fork_after: int | None = None,
    ) -> Head:
        """Take the session's write lock for `lease` seconds of the store's clock.

        With `fork_after` the session shows a new branch, which continues after the message with
        that seq (0: from the start). Returns the session as it then is, with the slot as kept.
        Raises NotFound (also when no message has that seq), SessionDeleted, GenerationRunning.
        """

    @abc.abstractmethod
    async def add_messages(self, generation_id: str, messages: Sequence[Message]) -> list[Message]:
        """Insert a turn's messages in order on the shown branch and return them numbered.

        Raises GenerationInterrupted when the session's slot is no longer this generation's, and
        Conflict when the session has one of the messages, or one of their client_ids, already.
        """

    @abc.abstractmethod
    async def checkpoint(self, checkpoints: Sequence[Checkpoint]) -> set[str]:
        """Set content and parts of messages that stream; return the generations whose do not."""

    @abc.abstractmethod
    async def renew_leases(self, generations: Mapping[str, str], *, lease: float) -> set[str]:
        """Renew the slots of {generation_id: session_id}; return the generations that lost it."""

    @abc.abstractmethod
    async def end_message(self, message: Message) -> Message | None:
        """Replace a message that still streams by its end; return it with its new revision.

        Returns None when it no longer streams: then somebody else has ended it.
        """

    @abc.abstractmethod
    async def free_slot(
        self, session_id: str, generation_id: str, messages: Sequence[Message]
    ) -> Session | None:
        """Free the slot, count the turn's new ended messages, and make the last one the head.

        It was created at `last_message_at`. With no messages the branch shown before the take is
        shown again. Returns None, having changed nothing, when the slot is another generation's.
        """

    @abc.abstractmethod
    async def abandoned(self, node: str, boot: str) -> list[Abandoned]:
        """Return the sessions whose slot is of this node and another boot, or has an expired lease.

        Their `messages` are those of the slot that are stored: user's, then assistant's.
        """

    @abc.abstractmethod
    async def get_stats(self, user_id: str) -> Stats:
        """Return the numbers of a user's sessions, from counters kept with each of them."""

    # Presets and models

    @abc.abstractmethod
    async def add_preset(self, user_id: str, preset: Preset) -> None:
        """Keep a new preset of the user."""

    @abc.abstractmethod
    async def list_presets(self, user_id: str) -> list[Preset]:
        """Return the user's own presets and the public ones, by name."""

    @abc.abstractmethod
    async def get_preset(self, user_id: str, preset_id: str) -> Preset | None:
        """Return a preset that the user owns or that is public."""

    @abc.abstractmethod
    async def update_preset(
        self,
        user_id: str,
        preset_id: str,
        changes: Mapping[str, Any],
        *,
        version: int | None = None,
    ) -> Preset:
        """Set fields of the user's own preset, as `update_session`."""

    @abc.abstractmethod
    async def delete_preset(
        self, user_id: str, preset_id: str, *, version: int | None = None
    ) -> None:
        """Erase the user's own preset. Raises NotFound, PreconditionFailed."""

    @abc.abstractmethod
    async def list_models(self) -> list[Model]:
        """Return all known models by provider and name."""

    @abc.abstractmethod
    async def save_models(self, provider: str, models: Sequence[ModelInfo]) -> ModelChanges:
        """Note what a provider offers: only that is active, less what `update_model` turned off."""

    @abc.abstractmethod
    async def update_model(
        self, model_id: str, *, is_default: bool | None = None, is_active: bool | None = None
    ) -> Model:
        """Change what is given; at most one model is the default. Raises NotFound."""
