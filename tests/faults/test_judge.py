"""The judge of crashes: it likes a good story, and finds what is wrong with a bad one."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
from judge import judge
from story import Answer, CaughtUp, Message, Seen, Send, Story

from scripts.llm import reply_to, tokens

FIRST = Send(session_id="s", client_id="c1", text="first")
SECOND = Send(session_id="s", client_id="c2", text="second")
NEW = Send(session_id="s", client_id="c3", text="new")
AGAIN = Send(session_id="s", client_id="c4", kind="regenerate", message_id="g-c1")
EDIT = Send(session_id="s", client_id="c5", kind="edit", message_id="u-c1", text="edited")


def good() -> Story:
    """A story without a fault: a turn complete, one cut off in its middle, one after the crash."""
    whole = reply_to([{"role": "user", "content": "first"}])
    told = turn(FIRST, 1, whole, "complete")
    prompt = [*as_prompt(told), {"role": "user", "content": "second"}]
    pieces = tokens(reply_to(prompt))
    cut = turn(SECOND, 3, "".join(pieces[:4]), "interrupted", "g-c1")
    last_prompt = [*as_prompt([*told, *cut]), {"role": "user", "content": "new"}]
    new = turn(NEW, 5, reply_to(last_prompt), "complete", "g-c2")
    story = Story(
        sends=[FIRST, SECOND],
        seen=[
            seen(1.0, type="user_message", message=told[0]),
            seen(1.1, type="ai_message_complete", message=told[1], generation_id="g-c1"),
            seen(2.0, type="user_message", message=cut[0]),
            chunk(2.0, 0, 2, pieces),
            chunk(2.5, 2, 4, pieces),
            chunk(3.4, 4, 6, pieces),
        ],
        killed_at=3.6,
        before={"s": []},
        found={"s": [*told, *cut]},
        shown={"s": [*told, *cut]},
        caught_up=[CaughtUp(session_id="s", since=3, events=[ended(cut[1])])],
        repeats=[
            *(again_for(FIRST, told), again_for(SECOND, cut)),
            again_for(NEW, new, is_first=True),
        ],
        stored={"s": [*told, *cut, *new]},
        sessions={"s": {"message_count": 6, "head_id": "g-c3"}},
        prompts=[as_prompt(told)[:1], prompt, last_prompt],
    )
    # Nothing is the same object in two places: changing the one must not change the other.
    return Story(**{name: copy.deepcopy(value) for name, value in vars(story).items()})


def tree() -> Story:
    """A story without a fault in which an answer is given anew, and its question edited."""
    first, edited = [{"role": "user", "content": send.text} for send in (FIRST, EDIT)]
    told = turn(FIRST, 1, reply_to([first]), "complete")
    again = told[1] | {"seq": 3, "revision": 3, "id": "g-c4", "generation_id": "g-c4"}
    again["client_id"] = "c4"
    beside = turn(EDIT, 4, reply_to([edited]), "complete")
    last_prompt = [*as_prompt(beside), {"role": "user", "content": "new"}]
    new = turn(NEW, 6, reply_to(last_prompt), "complete", "g-c5")
    found = [*told, again, *beside]
    story = Story(
        sends=[FIRST, AGAIN, EDIT],
        seen=[seen(1.0, type="ai_typing", ai_message=again | {"content": ""})],
        before={"s": []},
        found={"s": found},
        shown={"s": beside},
        repeats=[
            *(again_for(FIRST, told), again_for(AGAIN, [told[0], again])),
            *(again_for(EDIT, beside), again_for(NEW, new, is_first=True)),
        ],
        stored={"s": [*found, *new]},
        sessions={"s": {"message_count": 7, "head_id": "g-c3"}},
        prompts=[[first], [first], [edited], last_prompt],
    )
    return Story(**{name: copy.deepcopy(value) for name, value in vars(story).items()})


def turn(send: Send, seq: int, text: str, status: str, parent: str | None = None) -> list[Message]:
    """The two messages of a turn."""
    generation_id = f"g-{send.client_id}"
    user = {"id": f"u-{send.client_id}", "role": "user", "content": send.text, "seq": seq,
            "revision": seq, "client_id": send.client_id, "generation_id": generation_id,
            "session_id": send.session_id, "status": "complete", "parent_id": parent}  # fmt: skip
    error = {"code": "generation_interrupted"} if status == "interrupted" else None
    changes = {"id": generation_id, "role": "assistant", "content": text, "seq": seq + 1,
               "revision": seq + 1, "client_id": None, "status": status,
               "parent_id": user["id"], "error": error}  # fmt: skip
    return [user, user | changes]


def as_prompt(messages: list[Message]) -> list[dict[str, str]]:
    """What the model is given for these messages."""
    return [{"role": m["role"], "content": m["content"]} for m in messages]


def seen(at: float, **event: Any) -> Seen:
    """An event that a socket got."""
    return Seen(at=at, by="a socket", session_id="s", event=event)


def chunk(at: float, prev: int, seq: int, pieces: list[str]) -> Seen:
    """Pieces of the second turn's reply."""
    content, full = "".join(pieces[prev:seq]), "".join(pieces[:seq])
    return seen(at, type="ai_message_chunk", generation_id="g-c2", prev=prev, seq=seq,
                content=content, full_content=full)  # fmt: skip


def ended(message: Message) -> dict[str, Any]:
    """The event of an interruption."""
    return {"type": "error", "generation_id": message["generation_id"], "ai_message": message}


def again_for(send: Send, stored: list[Message], *, is_first: bool = False) -> Answer:
    """What a send is answered with after the restart."""
    body = {"user_message": stored[0], "ai_message": stored[1]}
    return Answer(send=send, status=200, body=body if is_first else body | {"duplicate": True})


def change(when: str, place: int, **fields: Any) -> Callable[[Story], None]:
    """Change a message of the store."""
    return lambda story: getattr(story, when)["s"][place].update(fields)


def everywhere(place: int, **fields: Any) -> Callable[[Story], None]:
    """Change a message as it was found and as it was left."""

    def apply(story: Story) -> None:
        for messages in (story.found, story.stored):
            messages["s"][place].update(fields)

    return apply


def lose_a_turn(story: Story) -> None:
    """Lose what was acknowledged last."""
    del story.found["s"][2:]


def store_twice(story: Story) -> None:
    """Store the first message again, with an answer, under no client_id."""
    turn = story.found["s"][:2]
    story.stored["s"] += [m | {"client_id": None, "seq": m["seq"] + 6} for m in turn]


def see(*events: Seen) -> Callable[[Story], None]:
    """Have somebody see more."""
    return lambda story: story.seen.extend(events)


def answer(place: int, **changes: Any) -> Callable[[Story], None]:
    """Answer a repetition in another way."""

    def apply(story: Story) -> None:
        old = story.repeats[place]
        status = changes.get("status", old.status)
        story.repeats[place] = Answer(send=old.send, status=status, body=old.body | changes)

    return apply


BAD: dict[str, tuple[Callable[[Story], None], str]] = {
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
    "a generation fails": (change("stored", 3, status="error"), "g-c2: ended as error"),
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


BAD_TREES: dict[str, tuple[Callable[[Story], None], str]] = {
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
