"""What must hold of all that is stored: nothing lost, doubled, misplaced or left without an end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from said import may_fail
from story import Message, Send, Story, all_of, is_end, message_of, path_to, repeated_to


def kept(story: Story) -> Iterator[str]:
    """What had been stored before is as it was."""
    for session_id, messages in story.before.items():
        if story.found.get(session_id, [])[: len(messages)] != messages:
            yield f"session {session_id}: messages of an earlier life have changed"


def acknowledged(story: Story) -> Iterator[str]:
    """What was acknowledged is there, word for word."""
    found = {m["id"]: m for m in all_of(story.found)}
    for each in story.seen:
        message = each.event.get("message")
        if each.event["type"] == "user_message" and found.get(message["id"]) != message:
            yield f"{message['client_id']}: acknowledged to {each.by}, but not found"
        if each.event["type"] == "ai_typing":
            begun = each.event["ai_message"]
            kept = found.get(begun["id"], {})
            if any(kept.get(name) != begun[name] for name in ("parent_id", "client_id", "seq")):
                yield f"{begun['id']}: begun before {each.by}, but not found"


def once(story: Story) -> Iterator[str]:
    """A message is stored at most once, and only if it was sent."""
    asked = _asked_by_client_id(story)
    old = {m["id"] for m in all_of(story.before)}
    for when, messages in (("found", story.found), ("stored", story.stored)):
        users = all_of(messages, "user")
        named = [m for m in all_of(messages) if m["client_id"] is not None]
        ids = Counter((m["session_id"], m["client_id"]) for m in named)
        for (_, client_id), count in ids.items():
            if count > 1:
                yield f"{client_id}: {when} {count} times"
        for text, count in Counter(m["content"] for m in users).items():
            if count > 1:
                yield f"{text!r}: {when} {count} times"
        for m in {m["id"]: m for m in [*users, *named]}.values():
            send = asked.get((m["session_id"], m["client_id"]))
            is_so = send is not None and send.text in (m["content"], "")
            if m["id"] not in old and not (is_so and (m["role"] == "user") is bool(send.text)):
                yield f"{m['client_id']}: {when}, but never sent so"


def _asked_by_client_id(story: Story) -> dict[tuple[str, str], Send]:
    sends = [*story.sends, *(answer.send for answer in story.repeats)]
    return {(send.session_id, send.client_id): send for send in sends}


def placed(story: Story) -> Iterator[str]:
    """A turn continues the last one; one that names a message stands beside that.

    Where somebody has selected a branch, a turn continues the end of any.
    """
    asked = _asked_by_client_id(story)
    for messages in (*story.found.values(), *story.stored.values()):
        parents = {m["id"]: m["parent_id"] for m in messages}
        for last, message in zip([None, *messages], messages, strict=False):
            send = asked.get((message["session_id"], message["client_id"]))
            if send is None:
                continue
            wanted = [last["id"] if last else None]
            if send.kind != "send":
                wanted = [parents.get(send.message_id, "nothing")]
            elif message["session_id"] in story.wandered:
                wanted = _ends(messages[: message["seq"] - 1]) or [None]
            if message["parent_id"] not in wanted:
                yield f"{send.client_id}: stands behind {message['parent_id']}, not {wanted}"


def _ends(messages: list[Message]) -> list[str | None]:
    """Return the ids of messages that none continues."""
    continued = {m["parent_id"] for m in messages}
    return [m["id"] for m in messages if m["id"] not in continued]


def branch_shown(story: Story) -> Iterator[str]:
    """The branch that is shown is that of the last turn that is stored, or one with an end."""
    for session_id, messages in story.shown.items():
        found = story.found[session_id]
        last = found[-1] if found else None
        if session_id in story.wandered and messages:
            last = next((m for m in found if m["id"] == messages[-1]["id"]), None)
            if messages[-1]["id"] not in _ends(found):
                yield f"session {session_id}: what is shown ends before its end"
        if messages != (path_to(last, found) if last else []):
            yield f"session {session_id}: another branch is shown than that of the last turn"


def repeated(story: Story) -> Iterator[str]:
    """A send that is repeated is the same message, or the first one; what is new works."""
    found = {(m["session_id"], m["client_id"]): m for m in all_of(story.found) if m["client_id"]}
    repeated = {answer.send for answer in story.repeats}
    for send in story.sends:
        if send not in repeated and (send.session_id, send.client_id) in found:
            yield f"{send.client_id}: was not repeated"
    for answer in story.repeats:
        send, name = answer.send, answer.send.client_id
        fails = may_fail(answer.body.get("user_message", {}).get("content", ""))
        if answer.status != (502 if fails and not answer.body.get("duplicate") else 200):
            yield f"{name}: repeated, answered {answer.status} {answer.body.get('code')}"
            continue
        first = found.get((send.session_id, send.client_id))
        if answer.body.get("duplicate", False) is not (first is not None):
            yield f"{name}: duplicate is {answer.body.get('duplicate')}, found was {first}"
        elif first not in (None, answer.body["user_message"], answer.body["ai_message"]):
            yield f"{name}: repeated, answered with another message"
        elif first is None and not fails and answer.body["ai_message"]["status"] != "complete":
            yield f"{name}: a turn after the restart ended {answer.body['ai_message']['status']}"
        if answer.body["ai_message"] not in story.stored.get(send.session_id, []):
            yield f"{name}: the answer to its repetition is not stored"


def numbered(story: Story) -> Iterator[str]:
    """`seq` counts from 1 without a hole, and no revision is given twice."""
    for session_id, messages in (*story.found.items(), *story.stored.items()):
        if [m["seq"] for m in messages] != list(range(1, len(messages) + 1)):
            yield f"session {session_id}: seqs are {[m['seq'] for m in messages]}"
        revisions = Counter(m["revision"] for m in messages)
        if max(revisions.values(), default=1) > 1 or min(revisions, default=1) < 1:
            yield f"session {session_id}: revisions are {sorted(revisions.elements())}"
        for role in ("user", "assistant"):
            given = [m["revision"] for m in messages if m["role"] == role]
            if given != sorted(given):
                yield f"session {session_id}: revisions of {role} messages do not ascend"


def ended_once(story: Story) -> Iterator[str]:
    """Every user message is followed by its answer; others have a client_id; all have ended."""
    for messages in (*story.found.values(), *story.stored.values()):
        users = {m["id"]: m for m in messages if m["role"] == "user"}
        for message, next_one in zip(messages, [*messages[1:], None], strict=False):
            if message["role"] == "user":
                name = message["client_id"]
                if next_one is None or next_one["role"] != "assistant":
                    yield f"{name}: seq {message['seq']} is not followed by its answer"
                elif (message["generation_id"], message["id"]) != (
                    next_one["id"],
                    next_one["parent_id"],
                ):
                    yield f"{name}: followed by the answer to another message"
                continue
            user = users.get(message["parent_id"])
            if user is None or user["seq"] >= message["seq"]:
                yield f"{message['id']}: the answer to another message than to a user's"
            elif message["client_id"] is None and message["id"] != user["generation_id"]:
                yield f"{message['id']}: an answer to {user['client_id']} that nobody asked for"
            elif message["status"] == "streaming":
                yield f"{message['client_id'] or user['client_id']}: still streaming"


def ended_as_seen(story: Story) -> Iterator[str]:
    """Whoever saw an end saw the one that is stored, and one alone."""
    found = {m["id"]: m for m in all_of(story.found)}
    ends: Counter[tuple[str, str]] = Counter()
    for each in story.seen:
        event = each.event
        if not is_end(event):
            continue
        ends[each.by, event["generation_id"]] += 1
        if found.get(event["generation_id"]) != message_of(event):
            yield f"{event['generation_id']}: {each.by} saw another end than the stored one"
    again = repeated_to(story.seen)
    for (by, generation_id), count in ends.items():
        is_regeneration = found.get(generation_id, {}).get("client_id") is not None
        if count > 1 + (is_regeneration or (by, generation_id) in again):
            yield f"{generation_id}: {by} saw it end {count} times"


def told(story: Story) -> Iterator[str]:
    """Who connects again is told of all that it has missed, in order, and of nothing else."""
    for each in story.caught_up:
        missed = [m for m in story.found[each.session_id] if m["revision"] > each.since]
        missed.sort(key=lambda message: message["revision"])
        if [message_of(event) for event in each.events] != missed:
            yield f"session {each.session_id}: who knew {each.since} was not told what it missed"


def counted(story: Story) -> Iterator[str]:
    """A session counts its messages, and its head is the last one."""
    for session_id, messages in story.stored.items():
        session = story.sessions[session_id]
        if session["message_count"] != len(messages):
            yield f"session {session_id}: counts {session['message_count']} of {len(messages)}"
        if session["head_id"] != (messages[-1]["id"] if messages else None):
            yield f"session {session_id}: its head is not its last message"
