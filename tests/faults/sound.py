"""What must hold of the server itself: whom it tells what, what it holds, what it logs."""

from __future__ import annotations

import re
from collections.abc import Iterator

from story import STORE, Fault, Story, all_of, is_end, message_of, repeated_to

LIVE_WITHIN = 45.0  # seconds: a lease of 15, a sweep, and a machine that has much else to do
MEGABYTES = 400.0
FILES = 120
TASKS = 40
NOT_YOURS = (404, 4504)

ENTRY = re.compile(r"^(?=\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)", re.MULTILINE)
UNCLEAN = re.compile(
    r"\b(?:ERROR|CRITICAL)  ?|Traceback|never retrieved|never awaited|Exception ignored|Unclosed"
    r"|was destroyed but|Fatal Python|Segmentation"
)
# What a fault explains: the beginning of its name, and what the entry has.
EXPLAINED: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    # A server that stops while its store is away gives up after a while; the next one ends it.
    (name, re.compile(r"generation \S+ could not be ended[^\0]*StoreUnavailable"))
    for name in STORE
)


def in_order(story: Story) -> Iterator[str]:
    """A socket is told of changes in the order of their revisions, of nothing after its end."""
    last: dict[str, int] = {}
    ended: set[tuple[str, str]] = set()
    again = repeated_to(story.seen)
    for each in story.seen:
        event, message = each.event, message_of(each.event)
        generation_id = event.get("generation_id") or ""
        is_more = event["type"].startswith("ai_") and not is_end(event)
        if is_more and (each.by, generation_id) in ended:
            yield f"{generation_id}: {each.by} was told more of it after its end"
        if is_end(event):
            ended.add((each.by, generation_id))
        is_answer = bool(event.get("duplicate")) or (each.by, generation_id) in again
        is_answer |= bool(is_end(event) and message and message["client_id"])
        if message is None or is_answer or not each.by.startswith("socket"):
            continue
        if message["revision"] <= last.get(each.by, 0):
            yield f"{each.by} was told of revision {message['revision']} after {last[each.by]}"
        last[each.by] = message["revision"]


def isolated(story: Story) -> Iterator[str]:
    """Who reads a session is told of that session alone, and only its owner is."""
    sessions = {m["id"]: m["session_id"] for m in all_of(story.stored)}
    for each in story.seen:
        event = each.event
        messages = [event.get("ai_message"), event.get("message")]
        told = {m["session_id"] for m in messages if isinstance(m, dict)}
        told |= {event["session"]["id"]} if "session" in event else set()
        told |= {sessions[i] for i in (event.get("generation_id"),) if i in sessions}
        if told - {each.session_id}:
            yield f"{each.by} in {each.session_id} was told of {sorted(told)}"
        if each.user and each.user != story.owners.get(each.session_id, each.user):
            yield f"{each.by}: {each.user} was let into {each.session_id}, which is another's"


def listed(story: Story) -> Iterator[str]:
    """Lists have the caller's own sessions and no others."""
    for each in story.listed:
        for session_id in each.session_ids:
            if story.owners.get(session_id, each.user) != each.user:
                yield f"{each.user} was shown {session_id}, which is another's"


def trespassed(story: Story) -> Iterator[str]:
    """Another's session answers as one that does not exist."""
    for each in story.trespasses:
        if each.answer not in NOT_YOURS:
            yield f"{each.user} tried {each.tried} with another's session: {each.answer}"


def bounded(story: Story) -> Iterator[str]:
    """A server whose clients have left holds nothing for them, and never held much."""
    for each in story.vitals:
        if each.megabytes > MEGABYTES:
            yield f"the server had {each.megabytes:.0f} MB"
        if each.files > FILES:
            yield f"the server has {each.files} open files, and no clients"
        if each.tasks > TASKS:
            yield f"the server has {each.tasks} tasks, and no clients"
        for name in ("rooms", "sockets", "generations"):
            if getattr(each, name):
                yield f"the server has {getattr(each, name)} {name}, and no clients"


def live(story: Story) -> Iterator[str]:
    """When the faults are over, every session takes a turn again, before long."""
    last = {answer.send.session_id: answer.status for answer in story.repeats}
    for session_id in (s for s, status in last.items() if status != 200):
        yield f"session {session_id} takes no turn any more"
    for answer in story.repeats:
        if answer.status == 0 or answer.seconds > LIVE_WITHIN:
            yield f"{answer.send.client_id}: {answer.status} after {answer.seconds:.0f} s of peace"


def clean_logs(story: Story) -> Iterator[str]:
    """Nothing is logged that only a bug explains."""
    for log in story.logs:
        for entry in ENTRY.split(log):
            if UNCLEAN.search(entry) and not any(_explains(f, entry) for f in story.faults):
                yield f"logged: {entry.strip()[:2000]}"


def _explains(fault: Fault, entry: str) -> bool:
    return any(fault.name.startswith(name) and text.search(entry) for name, text in EXPLAINED)


def clean_ends(story: Story) -> Iterator[str]:
    """A server that is asked to end does, and says that all was well."""
    for code in story.codes:
        if code != 0:
            yield f"a server that was asked to end ended with {code}"


def refused(story: Story) -> Iterator[str]:
    """A turn that was refused, and never anything else, has stored nothing."""
    for message in all_of(story.found):
        if message["client_id"] in story.refused:
            yield f"{message['client_id']}: was refused, but is stored"


def knows_no_bug(story: Story) -> Iterator[str]:
    """Nobody is told of an error that only a bug explains."""
    for each in story.seen:
        event = each.event
        codes = [event.get("code"), *(m.get("error") for m in (message_of(event),) if m)]
        if any(code == "internal" or code == {"code": "internal"} for code in codes):
            yield f"{each.by} was told of an internal error: {str(event)[:300]}"
