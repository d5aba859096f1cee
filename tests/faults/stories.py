"""Stories without a fault, and ways to spoil them: what the tests of the judge begin with."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable
from typing import Any

from story import (
    Answer,
    CaughtUp,
    End,
    Fault,
    Listed,
    Message,
    Seen,
    Send,
    Story,
    Trespass,
    Vitals,
)

from scripts.llm import reply_to, tokens

Spoil = Callable[[Story], None]

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
        ends=[End(at=3.6)],
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
        about = {name: changes.get(name, getattr(old, name)) for name in ("status", "seconds")}
        story.repeats[place] = Answer(send=old.send, body=old.body | changes, **about)

    return apply


def peaceful() -> Story:
    """The good story with all that is known of the servers, of which one was killed."""
    story = good()
    story.owners = {"s": "alice", "b": "bob"}
    story.seen = [dataclasses.replace(each, user="alice") for each in story.seen]
    story.faults = [Fault(name="mongod freeze", began=0.1, ended=0.2)]
    story.listed = [Listed(user="alice", session_ids=("s",))]
    story.trespasses = [Trespass(user="bob", tried="GET", answer=404)]
    story.vitals = [Vitals(megabytes=90, files=30, tasks=9)]
    story.logs = [LINE.format("INFO    chatd.server: stopping"), LINE.format("WARNING x: busy")]
    story.codes = [0]
    story.refused = {"c9"}
    return story


LINE = "2026-11-22 10:00:00,000 {}\n"


def log(text: str) -> Spoil:
    """Log something more."""
    return lambda story: story.logs.append(LINE.format(text))


def hold(**more: float) -> Spoil:
    """Have the server hold something in the end."""

    def apply(story: Story) -> None:
        story.vitals.append(Vitals(**({"megabytes": 90} | more)))

    return apply


def in_mode(mode: str, **fields: Any) -> Spoil:
    """Have the first question ask for a mode, and its answer end in some way."""

    def apply(story: Story) -> None:
        text = f"first [mode:{mode}]"
        for messages in (story.found, story.stored, story.shown):
            messages["s"][0]["content"] = text
            messages["s"][1].update(fields)
        for prompt in story.prompts:
            prompt[0]["content"] = text
        story.seen = []

    return apply
