"""Sessions out of a file into a store, many at a time, none of them twice."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import msgspec

from chatd import accounts
from chatd.errors import ChatdError, Conflict, StoreUnavailable
from chatd.store import Store
from chatd.store.transfer import Conversation
from chatd.transfer.copying import Report
from chatd.transfer.files import Problem
from chatd.transfer.jsonlines import FORMAT
from chatd.transfer.trees import Planter, Refused, Tree, new_session_id

MESSAGES, CHARACTERS = 1000, 2_000_000  # of one write, unless a session alone has more

Complain = Callable[[Problem], None]


class Tally(msgspec.Struct):
    """What became of the sessions of a file."""

    added: int = 0
    messages: int = 0
    there: int = 0
    failed: int = 0


class Importer:
    """Puts sessions into a store. `user_id` is whose all are, None to go by the file."""

    def __init__(
        self,
        store: Store,
        planter: Planter,
        *,
        user_id: str | None,
        report: Report,
        complain: Complain,
    ) -> None:
        self._store, self._planter = store, planter
        self._user_id = user_id
        self._report, self._complain = report, complain
        self._users: dict[str, str] = {}
        self.tally = Tally()

    async def take(self, records: Iterable[Tree | Problem]) -> Tally:
        """Import records, those that are there already left as they are."""
        for batch in _batches(self._trees(records)):
            await self._take(batch)
            tally = self.tally
            self._report("importing sessions", tally.added + tally.there + tally.failed, None)
        return self.tally

    def _trees(self, records: Iterable[Tree | Problem]) -> Iterator[Tree]:
        for record in records:
            if isinstance(record, Problem):
                self._fail(record.place, record.reason)
            else:
                yield record

    def _fail(self, place: str, reason: str) -> None:
        self.tally.failed += 1
        self._complain(Problem(place, reason))

    async def _take(self, trees: list[Tree]) -> None:
        """Import a batch."""
        owned = [(tree, user_id) for tree in trees if (user_id := await self._owner(tree))]
        ids = {tree.session.id for tree, _ in owned}
        ids |= {new_session_id(tree, user_id) for tree, user_id in owned}
        there = await self._store.find_owners(sorted(ids))
        planted: list[tuple[Tree, Conversation]] = []
        for tree, user_id in owned:
            conversation = self._plant(tree, user_id, there)
            if conversation is not None:
                planted.append((tree, conversation))
                there[conversation.session.session.id] = user_id
        await self._add(planted)

    async def _owner(self, tree: Tree) -> str | None:
        """Return the id of a session's owner; None after a failure."""
        if self._user_id is not None:
            return self._user_id
        if tree.user not in self._users:
            try:
                account = await self._store.get_account(name=tree.user)
                user = account.user if account else await accounts.add_user(self._store, tree.user)
            except StoreUnavailable:
                raise
            except ChatdError as exc:
                self._fail(tree.place, exc.message)
                return None
            self._users[tree.user] = user.id
        return self._users[tree.user]

    def _plant(self, tree: Tree, user_id: str, there: dict[str, str]) -> Conversation | None:
        """Return a session that is new; None for one that is not, or that fails.

        A session of chatd's keeps its id, unless it is another user's here.
        """
        owner = there.get(tree.session.id) if tree.format == FORMAT else None
        keep_ids = tree.format == FORMAT and owner in (None, user_id)
        if (keep_ids and owner) or (not keep_ids and new_session_id(tree, user_id) in there):
            self.tally.there += 1
            return None
        try:
            return self._planter.plant(tree, user_id, keep_ids=keep_ids)
        except Refused as exc:
            self._fail(tree.place, str(exc))
            return None

    async def _add(self, planted: list[tuple[Tree, Conversation]]) -> None:
        """Add sessions together; if that fails, one by one, to know which one cannot be added."""
        if not planted:
            return
        try:
            await self._store.add_conversations([conversation for _, conversation in planted])
        except Conflict:
            if len(planted) > 1:
                for one in planted:
                    await self._add([one])
            else:
                await self._explain(*planted[0])
        else:
            self.tally.added += len(planted)
            self.tally.messages += sum(len(conversation.messages) for _, conversation in planted)

    async def _explain(self, tree: Tree, conversation: Conversation) -> None:
        """Note why a session could not be added: another import may have been faster."""
        session_id, user_id = conversation.session.session.id, conversation.session.user_id
        if await self._store.find_owners([session_id]) == {session_id: user_id}:
            self.tally.there += 1
        else:
            self._fail(tree.place, "one of its messages is stored already")


def _batches(trees: Iterable[Tree]) -> Iterator[list[Tree]]:
    """Yield trees, as many as make a good write."""
    batch: list[Tree] = []
    messages = characters = 0
    for tree in trees:
        batch.append(tree)
        messages += len(tree.messages) + 1
        characters += sum(len(message.content) for message in tree.messages)
        if messages > MESSAGES or characters > CHARACTERS:
            yield batch
            batch, messages, characters = [], 0, 0
    if batch:
        yield batch
