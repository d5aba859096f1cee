"""Search: what is found, for whom, in which order; the same in every store."""

from __future__ import annotations

import pytest
from stored import ALICE, BOB, a_session, a_slot, a_turn, add, an_answer, begin, finish

from chatd.errors import BadRequest
from chatd.store import Store
from chatd.store.messages import FoundPage

TEXTS = [
    "The quick brown fox",
    "Crème brûlée and CAFÉ au lait",
    "Straße nach Ångström",
    "私は東京都に住んでいます",
    "ฉันรักภาษาไทย",
    "한국어를 배웁니다",
    "NEAR the AND operator, OR not",
    "C++ and e-mail: don't use 3.14",
    "ﬁne ＦＵＬＬ width 🎉",
    "हिन्दी भाषा",
    "concatenate",
    "ハハ かき",
    "パパ がき",
]


def texts(page: FoundPage) -> list[str]:
    """Return what was found."""
    return [found.message.content for found in page.results]


async def put(store: Store, *said: str) -> None:
    """Have Alice say things, one turn each in one session; answers are empty."""
    session = await add(store, title="A title")
    for text in said:
        await a_turn(store, session, text, content="")


FINDS: list[tuple[str, list[int]]] = [
    ("QUICK fox", [0]),
    ("fox the", [0]),
    ("fox quick missing", []),
    ("qui", []),
    ("creme BRULEE", [1]),
    ("cafe", [1]),
    ("cafe\u0301", [1]),
    ("strasse", [2]),
    ("STRASSE angstrom", [2]),
    ("東京", [3]),
    ("京東", []),
    ("住", [3]),
    ("ภาษา", [4]),
    ("배웁", [5]),
    ("near", [6]),
    ("NEAR AND OR", [6]),
    ("NEAR(the operator)", [6]),
    ("NEAR(operator the)", []),
    ('"the and"', [6]),
    ("near -operator", [6]),
    ("quick*", [0]),
    ("c++", [7]),
    ("don't", [7]),
    ("e-mail", [7]),
    ("mail e", [7]),
    ("3.14", [7]),
    ("14.3", []),
    ("fine full WIDTH", [8]),
    ("🎉", [8]),
    ("हिन्दी", [9]),
    ("cat", []),
    ("ハ", [11]),
    ("パ", [12]),
    ("ﾊﾟﾊﾟ", [12]),
    ("がき", [12]),
    ("***", []),
    ('" - *', []),
    ("words : fox", []),
    ("owner", []),
]


async def test_what_is_found(store: Store) -> None:
    """All words of a query must occur, whole; case and accents do not matter, nor punctuation."""
    await put(store, *TEXTS)
    for query, expected in FINDS:
        found = texts(await store.search(ALICE.id, query))
        assert found == [TEXTS[number] for number in expected], query


async def test_the_rest_of_a_result(store: Store) -> None:
    """A result has the whole message, the title of its session, and a rank."""
    session = await add(store, title="On foxes")
    question, answer = await a_turn(store, session, "which fox", content="the red fox")

    page = await store.search(ALICE.id, "fox")

    assert {found.message.id: found.message for found in page.results} == {
        question.id: question,
        answer.id: answer,
    }
    assert {found.title for found in page.results} == {"On foxes"}
    assert all(found.rank > 0 for found in page.results)
    assert page.next is page.previous is None


async def test_a_streaming_message_is_found_when_it_has_ended(store: Store) -> None:
    """An answer is found from its end on, by what it then says; a question at once."""
    session = await add(store)
    slot, messages = await begin(store, session, "the question")
    assert texts(await store.search(ALICE.id, "question")) == ["the question"]
    assert texts(await store.search(ALICE.id, "reply")) == []
    await finish(store, slot, messages, "a late reply")
    assert texts(await store.search(ALICE.id, "reply")) == ["a late reply"]


async def test_hidden_branches_are_found(store: Store) -> None:
    """What another branch hides is found too: a client can select it."""
    session = await add(store)
    await a_turn(store, session, "first try")
    await a_turn(store, session, "second try", fork_after=0, kind="edit")

    assert set(texts(await store.search(ALICE.id, "try"))) == {"first try", "second try"}


async def test_only_the_callers_own(store: Store) -> None:
    """What others have said is never found, however well it fits."""
    await put(store, "a secret")
    session = a_session()
    await store.add_session(BOB.id, session)
    slot = a_slot()
    await store.take_slot(BOB.id, session.id, slot, lease=15)
    answer = an_answer(session, slot, status="complete", content="no secret of mine")
    await store.add_messages(slot.generation_id, [answer])

    assert texts(await store.search(BOB.id, "secret")) == ["no secret of mine"]
    assert texts(await store.search(ALICE.id, "secret")) == ["a secret"]
    assert texts(await store.search("nobody", "secret")) == []


async def test_deleted_and_purged_sessions(store: Store) -> None:
    """Deleted sessions are searched when asked for, purged ones are gone, new ones are found."""
    kept, deleted, purged = [await add(store) for _ in range(3)]
    for session, text in ((kept, "kept"), (deleted, "deleted"), (purged, "purged")):
        await a_turn(store, session, f"a fox {text}")
    await store.update_session(ALICE.id, deleted.id, {"is_active": False})
    assert len((await store.search(ALICE.id, "fox", is_active=None)).results) == 3
    await store.purge_session(ALICE.id, purged.id)
    await a_turn(store, await add(store), "a fox again")

    found = {
        is_active: sorted(texts(await store.search(ALICE.id, "fox", is_active=is_active)))
        for is_active in (True, False, None)
    }
    assert found == {
        True: ["a fox again", "a fox kept"],
        False: ["a fox deleted"],
        None: ["a fox again", "a fox deleted", "a fox kept"],
    }


async def test_pages_forth_and_back(store: Store) -> None:
    """Pages show each result once, in the same order forth and back, whatever comes meanwhile."""
    await put(store, *(f"fox {'fox ' * (n % 3)}{n}" for n in range(11)), *"abcdefgh")
    whole = texts(await store.search(ALICE.id, "fox"))
    assert len(whole) == 11
    counts = [text.count("fox") for text in whole]
    assert counts == sorted(counts, reverse=True)

    forth = [await store.search(ALICE.id, "fox", limit=4)]
    while forth[-1].next:
        forth.append(await store.search(ALICE.id, "fox", limit=4, cursor=forth[-1].next))
    assert [text for page in forth for text in texts(page)] == whole
    assert [len(page.results) for page in forth] == [4, 4, 3]
    assert forth[0].previous is None

    assert forth[1].next and forth[2].previous
    await put(store, "this changes all statistics", "of the index")
    assert texts(await store.search(ALICE.id, "fox", limit=4, cursor=forth[1].next)) == whole[8:]
    back = await store.search(ALICE.id, "fox", limit=4, cursor=forth[2].previous)
    assert texts(back) == whole[4:8]
    assert back.previous
    first = await store.search(ALICE.id, "fox", limit=4, cursor=back.previous)
    assert (texts(first), first.previous) == (whole[:4], None)


@pytest.mark.parametrize("cursor", ["x", "WyJuZXh0Il0", "W10"])
async def test_a_foreign_cursor(store: Store, cursor: str) -> None:
    """A cursor that the method did not return is refused."""
    with pytest.raises(BadRequest):
        await store.search(ALICE.id, "fox", cursor=cursor)


async def test_very_long_queries_and_words(store: Store) -> None:
    """A query of 10,000 characters and a word of as many are looked for like others."""
    many = " ".join(f"w{number}" for number in range(1700))
    await put(store, many, "x" * 10_000, "y" * 200)

    assert texts(await store.search(ALICE.id, many)) == [many]
    assert texts(await store.search(ALICE.id, f"{many} z")) == []
    assert texts(await store.search(ALICE.id, "x" * 10_000)) == ["x" * 10_000]
    assert texts(await store.search(ALICE.id, "y" * 200)) == ["y" * 200]
    assert texts(await store.search(ALICE.id, '"' * 10_000)) == []


async def test_an_answer_of_very_many_words(store: Store) -> None:
    """It ends like any other, and is found by the words in its beginning."""
    many = " ".join(str(number) for number in range(120_000))
    await a_turn(store, await add(store), "count", many)

    assert texts(await store.search(ALICE.id, "19998 19999")) == [many]
    assert texts(await store.search(ALICE.id, "119999")) == []
