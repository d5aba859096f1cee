"""The judge: it likes a good story, and finds what is wrong with a bad one, by the right name."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest
from judge import INVARIANTS, judge
from stories import (
    NEW,
    Spoil,
    answer,
    change,
    chunk,
    everywhere,
    good,
    hold,
    in_mode,
    log,
    lose_a_turn,
    peaceful,
    see,
    seen,
    store_twice,
    tree,
    turn,
)
from story import End, Fault, Listed, Seen, Story, Trespass

from scripts.llm import tokens

BAD: dict[str, tuple[Spoil, str]] = {
    "an acknowledged message is gone": (lose_a_turn, "acknowledged to a socket, but not found"),
    "its text is another": (everywhere(0, content="fist"), "acknowledged to a socket"),
    "a message is stored twice": (store_twice, "'first': stored 2 times"),
    "a client_id is there twice": (change("stored", 4, client_id="c1"), "c1: stored 2 times"),
    "nobody sent it": (change("stored", 4, content="?"), "stored, but never sent so"),
    "an older message has changed": (
        lambda story: story.before["s"].extend(turn(NEW, 1, "", "complete")),
        "messages of an earlier life have changed"),
    "a repetition is a first one": (answer(0, duplicate=False), "c1: duplicate is False"),
    "a first one is a duplicate": (answer(2, duplicate=True), "c3: duplicate is True"),
    "a repetition is refused": (answer(1, status=409), "c2: repeated, answered 409"),
    "a repetition brings another message": (
        answer(0, user_message={"id": "u"}), "c1: repeated, answered with another message"),
    "nobody repeated it": (lambda story: story.repeats.pop(0), "c1: was not repeated"),
    "the next turn fails": (
        answer(2, ai_message={"status": "error"}), "a turn after the restart ended error"),
    "the next turn is refused": (answer(2, status=409), "c3: repeated, answered 409"),
    "a seq is given twice": (change("stored", 4, seq=4), "seqs are [1, 2, 3, 4, 4, 6]"),
    "a seq is left out": (change("stored", 5, seq=7), "seqs are [1, 2, 3, 4, 5, 7]"),
    "a revision is given twice": (everywhere(3, revision=3), "revisions are [1, 2, 3, 3]"),
    "another branch is shown": (
        lambda story: story.shown["s"].pop(), "s: another branch is shown than that of the last"),
    "it continues another message": (everywhere(2, parent_id="u-c1"), "stands behind u-c1, not"),
    "revisions descend": (everywhere(2, revision=0), "revisions of user messages do not ascend"),
    "an answer still streams": (everywhere(3, status="streaming"), "c2: still streaming"),
    "an answer is missing": (
        lambda story: story.found["s"].pop(), "c2: seq 3 is not followed by its answer"),
    "an answer is another's": (everywhere(3, parent_id="u-c1"), "answer to another message"),
    "it ends in two ways": (
        everywhere(1, content=""), "a socket saw another end than the stored one"),
    "it ends twice": (lambda story: story.seen.append(story.seen[1]), "saw it end 2 times"),
    "the model is asked again": (
        lambda story: story.prompts.append(story.prompts[1]), "the model was asked 2 times"),
    "the model is not told all": (
        lambda story: story.prompts[2].pop(0), "the model was not asked what is stored"),
    "a complete answer is cut": (change("stored", 1, content="R"), "complete, but the model has"),
    "nobody asked the model": (lambda story: story.prompts.pop(2), "complete, but the model has"),
    "an interrupted answer is invented": (
        change("stored", 3, content="no"), "interrupted with what the model has not said"),
    "a generation fails": (change("stored", 3, status="error"), "g-c2: error by"),
    "another error interrupts it": (
        change("stored", 3, error={"code": "internal"}), "interrupted by {'code': 'internal'}"),
    "a reader is shown nonsense": (
        see(chunk(3.5, 6, 7, list("nonsense"))), "was shown what the model has not said"),
    "a chunk is left out": (
        see(chunk(3.5, 7, 8, list("ignored "))), "was shown what the model has not said"),
    "old text is lost": (everywhere(3, content="R"), "text shown 1.10 s before the end is lost"),
    "who comes back is not told": (
        lambda story: story.caught_up[0].events.clear(), "was not told what it missed"),
    "messages are not counted": (
        lambda story: story.sessions["s"].update(message_count=5), "counts 5 of 6"),
    "the head is an older message": (
        lambda story: story.sessions["s"].update(head_id="g-c2"), "its head is not its last"),
}  # fmt: skip


BAD_TREES: dict[str, tuple[Spoil, str]] = {
    "an answer is not the one that was begun": (
        everywhere(2, parent_id="u-c5"), "g-c4: begun before a socket, but not found"),
    "an answer stands elsewhere": (everywhere(2, parent_id="u-c5"), "c4: stands behind u-c5"),
    "an answer is nobody's": (everywhere(2, client_id=None), "to c1 that nobody asked for"),
    "an answer is given anew twice": (everywhere(1, client_id="c4"), "c4: found 2 times"),
    "an answer answers an answer": (everywhere(2, parent_id="g-c1"), "than to a user's"),
    "an edit stands elsewhere": (everywhere(3, parent_id="g-c4"), "c5: stands behind g-c4"),
    "an edit is sent as a message": (everywhere(3, client_id="c3"), "c3: found, but never sent"),
    "the old branch is shown": (
        lambda story: story.shown.update(s=story.found["s"][:2]), "another branch is shown"),
    "the model is told of a sibling": (
        lambda story: story.prompts[2].insert(0, story.prompts[0][0]), "'edited': the model was"),
    "the model is asked thrice": (
        lambda story: story.prompts.append(story.prompts[0]), "the model was asked 3 times"),
    "a repetition is another answer": (
        answer(1, ai_message={"id": "a"}), "c4: repeated, answered with another message"),
}  # fmt: skip


@pytest.mark.parametrize("story", [good, tree])
def test_a_good_story(story: Callable[[], Story]) -> None:
    """A story in which all promises were kept has nothing wrong."""
    assert judge(story()) == []


@pytest.mark.parametrize("fault", BAD_TREES)
def test_a_bad_tree(fault: str) -> None:
    """What is wrong with branches is found, and named."""
    spoil, complaint = BAD_TREES[fault]
    story = tree()
    spoil(story)
    assert complaint in "\n".join(judge(story))


@pytest.mark.parametrize("fault", BAD)
def test_a_bad_story(fault: str) -> None:
    """Each broken promise is found, and named."""
    spoil, complaint = BAD[fault]
    story = good()
    spoil(story)
    assert complaint in "\n".join(judge(story))


def test_a_late_machine_is_not_a_fault() -> None:
    """Text that would have been stored in time, had the machine let it, may be missing."""
    story = good()
    everywhere(3, content="".join(tokens(story.found["s"][3]["content"])[:2]))(story)
    assert [wrong for wrong in judge(story) if "is lost" in wrong] != []
    story.late_by = 0.2
    assert [wrong for wrong in judge(story) if "is lost" in wrong] == []


THEIRS = {"id": "m", "session_id": "b", "role": "user", "revision": 1, "content": "hers",
          "client_id": None}  # fmt: skip
END = {"type": "ai_message_complete", "generation_id": "g-c1", "message": THEIRS}
INTERNAL = {"type": "error", "code": "internal", "message": "Something went wrong inside chatd."}
TRACEBACK = 'Traceback (most recent call last):\n  File "x.py"\nStoreUnavailable: away'

ORDERLY = End(at=3.6, is_orderly=True)

BUSY = {"status": "error", "content": "", "error": {"code": "provider_busy"}}

BAD_SERVERS: dict[str, tuple[Spoil, str]] = {
    "a chunk comes behind its end": (
        see(seen(2.5, **END), seen(2.6, type="ai_message_chunk", generation_id="g-c1", prev=0,
                                   seq=1, content="R")),
        "ordered: g-c1: a socket was told more of it after its end"),
    "changes come in another order": (
        lambda story: story.seen.extend(
            Seen(at=3.0, by="socket 2", session_id="s",
                 event={"type": "user_message", "message": story.found["s"][place]})
            for place in (2, 0)),
        "ordered: socket 2 was told of revision 1 after 3"),
    "who reads one session is told of another": (
        see(seen(3.0, type="message_updated", message=THEIRS)), "isolated: a socket in s was told"),
    "a chunk is another session's": (
        lambda story: (story.stored["s"][1].update(session_id="b"), see(seen(
            3.0, type="ai_message_chunk", generation_id="g-c1", prev=0, seq=1, content=""))(story)),
        "isolated: a socket in s was told of ['b']"),
    "another user is let in": (
        see(Seen(at=3.0, by="x", session_id="s", event={"type": "ai_typing2"}, user="bob")),
        "isolated: x: bob was let into s"),
    "a list shows another's session": (
        lambda story: story.listed.append(Listed(user="bob", session_ids=("b", "s"))),
        "isolated: bob was shown s"),
    "another's session can be stopped": (
        lambda story: story.trespasses.append(Trespass(user="bob", tried="stop", answer=200)),
        "isolated: bob tried stop with another's session: 200"),
    "another's session is forbidden, so it exists": (
        lambda story: story.trespasses.append(Trespass(user="bob", tried="GET", answer=403)),
        "isolated: bob tried GET with another's session: 403"),
    "memory grows": (hold(megabytes=900), "bounded: the server had 900 MB"),
    "files stay open": (hold(files=500), "bounded: the server has 500 open files"),
    "a room stays": (hold(rooms=1), "bounded: the server has 1 rooms"),
    "a socket stays": (hold(sockets=2), "bounded: the server has 2 sockets"),
    "a generation never ends": (hold(generations=1), "bounded: the server has 1 generations"),
    "a task is left": (hold(tasks=80), "bounded: the server has 80 tasks"),
    "a session takes no turn": (answer(2, status=409), "live: session s takes no turn any more"),
    "nobody answers": (answer(2, status=0), "live: c3: 0 after 0 s of peace"),
    "a session takes long": (answer(2, seconds=99.0), "live: c3: 200 after 99 s of peace"),
    "an error is logged": (log("ERROR   chatd: oh"), "clean logs: logged: 2026-11-22"),
    "an exception is logged": (log(f"INFO    x: failed\n{TRACEBACK}"), "clean logs: logged"),
    "a task fails unseen": (log("ERROR   a: Task exception was never retrieved"), "clean logs"),
    "a coroutine is forgotten": (
        log("WARNING py.warnings: coroutine 'x' was never awaited"), "clean logs: logged"),
    "an end gets lost without a fault": (
        lambda story: (story.faults.clear(), log(
            f"ERROR   chatd: generation g could not be ended\n{TRACEBACK}")(story)),
        "clean logs: logged"),
    "a server ends badly": (lambda story: story.codes.append(1), "asked to end ended with 1"),
    "what was refused is stored": (
        lambda story: story.refused.add("c1"), "honest: c1: was refused, but is stored"),
    "somebody meets a bug": (see(seen(3.0, **INTERNAL)), "told of an internal error"),
    "an orderly end loses text": (
        lambda story: (story.faults.clear(), story.ends.clear(), story.ends.append(ORDERLY),
                       everywhere(3, content="R")(story)),
        "text as promised: g-c2: text shown 0.20 s before the end is lost"),
    "a mode explains another error": (
        in_mode("429", status="error", content="", error={"code": "provider_timeout"}),
        "text as promised: g-c1: error by {'code': 'provider_timeout'}"),
    "a mode that succeeds in the end does not": (
        in_mode("429-then-ok", **BUSY), "text as promised: g-c1: error by"),
    "a mode that fails succeeds": (
        in_mode("429"), "text as promised: g-c1: complete, but the model has said something else"),
}  # fmt: skip


@pytest.mark.parametrize("fault", BAD_SERVERS)
def test_a_bad_server(fault: str) -> None:
    """What is wrong with the server itself, or with whom it tells what, is found, and named."""
    spoil, complaint = BAD_SERVERS[fault]
    story = peaceful()
    spoil(story)
    assert complaint in "\n".join(judge(story))


def test_every_invariant_has_been_broken() -> None:
    """There is no invariant that no bad story breaks."""
    broken = set()
    for begin, table in ((good, BAD), (tree, BAD_TREES), (peaceful, BAD_SERVERS)):
        for spoil, _ in table.values():
            story = begin()
            spoil(story)
            broken |= {wrong.partition(":")[0] for wrong in judge(story)}
    assert broken == INVARIANTS.keys()


AGAIN = {"type": "user_message", "duplicate": True}

EXCUSES: dict[str, Spoil] = {
    "a mode that fails": in_mode("429", **BUSY),
    "a mode that fails at first, behind a model server that was away": lambda story: (
        in_mode("429-then-ok", **BUSY)(story),
        story.faults.append(Fault(name="model server", began=0.1, ended=0.2))),
    "a mode that is cut off": in_mode(
        "cut-utf8-end", status="interrupted", content="", error={"code": "provider_interrupted"}),
    "a store that was away": everywhere(3, content=""),
    "an end that a store kept from being written": log(
        f"ERROR   chatd: generation g could not be ended\n{TRACEBACK}"),
    "an end that was asked for again": lambda story: story.seen.extend([
        dataclasses.replace(story.seen[0], event=story.seen[0].event | AGAIN), story.seen[1]]),
    "text that was read after the kill": lambda story: story.seen.append(
        Seen(at=9.0, by="y", session_id="s", event=story.seen[-1].event | {"prev": 0})),
}  # fmt: skip


@pytest.mark.parametrize("name", EXCUSES)
def test_what_a_fault_explains(name: str) -> None:
    """What a fault explains is no violation of that which it explains."""
    story = peaceful()
    EXCUSES[name](story)
    excused = ("could not be ended", "is lost", "g-c1: error", "g-c1: interrupted", "times")
    assert [wrong for wrong in judge(story) if any(text in wrong for text in excused)] == []


def test_a_peaceful_story() -> None:
    """A story of which all is known has nothing wrong."""
    assert judge(peaceful()) == []
