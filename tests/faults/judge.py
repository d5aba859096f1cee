"""What must hold after a crash, as a pure function of what was seen before and found after it.

It knows nothing of how a story came about: `judge` reads what clients sent and saw, what the store
had after the restart, and what the model server was asked, and says what contradicts a promise of
PROTOCOL section 4.3.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

from story import Message, Prompt, Seen, Send, Story, all_of, is_end, message_of, path_to

from scripts.llm import reply_to

CHECKPOINTED_AFTER = 1.0  # seconds: promise 5


def judge(story: Story) -> list[str]:
    """Return what is wrong, nothing if all promises were kept."""
    checks = (
        *(_kept, _acknowledged, _once, _placed, _branch_shown, _repeated, _numbered, _ended_once),
        *(_ended_as_seen, _asked_once, _as_the_model_said, _shown, _old_text, _told, _counted),
    )
    return [wrong for check in checks for wrong in check(story)]


def texts_shown(seen: Sequence[Seen]) -> Iterator[tuple[Seen, str, str]]:
    """Yield each chunk with its generation and the text that its reader shows from then on."""
    shown: dict[tuple[str, str], tuple[int, str]] = defaultdict(lambda: (0, ""))
    for each in seen:
        event = each.event
        if event["type"] != "ai_message_chunk":
            continue
        key = each.by, event["generation_id"]
        have, text = shown[key]
        if event["seq"] <= have:
            continue
        if event["prev"] not in (0, have):
            text = "a hole in the log: nothing continues this "
        text = event["content"] if event["prev"] == 0 else text + event["content"]
        shown[key] = event["seq"], text
        yield each, event["generation_id"], text
        if event.get("full_content", text) != text:
            yield each, event["generation_id"], event["full_content"]


def _kept(story: Story) -> Iterator[str]:
    """What had been stored before is as it was."""
    for session_id, messages in story.before.items():
        if story.found.get(session_id, [])[: len(messages)] != messages:
            yield f"session {session_id}: messages of an earlier life have changed"


def _acknowledged(story: Story) -> Iterator[str]:
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


def _once(story: Story) -> Iterator[str]:
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


def _placed(story: Story) -> Iterator[str]:
    """A turn continues the last one; one that names a message stands beside that."""
    asked = _asked_by_client_id(story)
    for messages in (*story.found.values(), *story.stored.values()):
        parents = {m["id"]: m["parent_id"] for m in messages}
        for last, message in zip([None, *messages], messages, strict=False):
            send = asked.get((message["session_id"], message["client_id"]))
            if send is None:
                continue
            after = last["id"] if last else None
            wanted = after if send.kind == "send" else parents.get(send.message_id, "nothing")
            if message["parent_id"] != wanted:
                yield f"{send.client_id}: stands behind {message['parent_id']}, not {wanted}"


def _branch_shown(story: Story) -> Iterator[str]:
    """The branch that is shown is that of the last turn that is stored."""
    for session_id, messages in story.shown.items():
        found = story.found[session_id]
        if messages != (path_to(found[-1], found) if found else []):
            yield f"session {session_id}: another branch is shown than that of the last turn"


def _repeated(story: Story) -> Iterator[str]:
    """A send that is repeated is the same message, or the first one; what is new works."""
    found = {(m["session_id"], m["client_id"]): m for m in all_of(story.found) if m["client_id"]}
    repeated = {answer.send for answer in story.repeats}
    for send in story.sends:
        if send not in repeated:
            yield f"{send.client_id}: was not repeated"
    for answer in story.repeats:
        send, name = answer.send, answer.send.client_id
        if answer.status != 200:
            yield f"{name}: repeated, answered {answer.status} {answer.body.get('code')}"
            continue
        first = found.get((send.session_id, send.client_id))
        if answer.body.get("duplicate", False) is not (first is not None):
            yield f"{name}: duplicate is {answer.body.get('duplicate')}, found was {first}"
        elif first not in (None, answer.body["user_message"], answer.body["ai_message"]):
            yield f"{name}: repeated, answered with another message"
        elif first is None and answer.body["ai_message"]["status"] != "complete":
            yield f"{name}: a turn after the restart ended {answer.body['ai_message']['status']}"
        if answer.body["ai_message"] not in story.stored.get(send.session_id, []):
            yield f"{name}: the answer to its repetition is not stored"


def _numbered(story: Story) -> Iterator[str]:
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


def _ended_once(story: Story) -> Iterator[str]:
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


def _ended_as_seen(story: Story) -> Iterator[str]:
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
    for (by, generation_id), count in ends.items():
        if count > 1:
            yield f"{generation_id}: {by} saw it end {count} times"


def _prompts_by_text(story: Story) -> dict[str, list[Prompt]]:
    asked = defaultdict(list)
    for prompt in story.prompts:
        asked[prompt[-1]["content"]].append(prompt)
    return asked


def _asked_once(story: Story) -> Iterator[str]:
    """The model was asked at most once for each answer, with just what it continues."""
    asked = _prompts_by_text(story)
    for messages in story.stored.values():
        answers = Counter(m["parent_id"] for m in messages if m["role"] == "assistant")
        for message in messages:
            prompts = asked[message["content"]] if message["role"] == "user" else []
            if len(prompts) > answers[message["id"]]:
                yield f"{message['content']!r}: the model was asked {len(prompts)} times"
            history = [m for m in path_to(message, messages) if m["role"] == "user" or m["content"]]
            prompt = [{"role": m["role"], "content": m["content"]} for m in history]
            if any(each != prompt for each in prompts):
                yield f"{message['content']!r}: the model was not asked what is stored"


def _replies(story: Story, messages: list[Message]) -> dict[str, str]:
    """Return the whole reply of the model for each generation that it was asked for."""
    asked = _prompts_by_text(story)
    texts = {m["id"]: m["content"] for m in messages}
    return {
        m["generation_id"]: reply_to(asked[text][0])
        for m in messages
        if (text := texts.get(m["parent_id"])) in asked
    }


def _as_the_model_said(story: Story) -> Iterator[str]:
    """A complete answer is the model's reply, any other one is a beginning of it."""
    replies = _replies(story, all_of(story.stored))
    for answer in all_of(story.stored, "assistant"):
        name, text, status = answer["generation_id"], answer["content"], answer["status"]
        reply = replies.get(name)
        if status == "complete":
            if text != reply:
                yield f"{name}: complete, but the model has said something else"
        elif not (reply or "").startswith(text):
            yield f"{name}: {status} with what the model has not said"
        if status not in ("complete", "stopped", "interrupted"):
            yield f"{name}: ended as {status}"
        if status == "interrupted" and answer["error"]["code"] != "generation_interrupted":
            yield f"{name}: interrupted by {answer['error']}"


def _shown(story: Story) -> Iterator[str]:
    """Text that was shown is the beginning of what the model said."""
    replies = _replies(story, all_of(story.found))
    for each, generation_id, text in texts_shown(story.seen):
        if not replies.get(generation_id, "").startswith(text):
            yield f"{generation_id}: {each.by} was shown what the model has not said: {text[-40:]}"


def _old_text(story: Story) -> Iterator[str]:
    """Text that had been shown for a second when the server died is in the answer."""
    last = story.killed_at - CHECKPOINTED_AFTER - story.late_by
    found = {m["id"]: m for m in all_of(story.found, "assistant")}
    for each, generation_id, text in texts_shown(story.seen):
        answer = found.get(generation_id)
        if answer is None or answer["status"] != "interrupted" or each.at > last:
            continue
        if not answer["content"].startswith(text):
            age = story.killed_at - each.at
            yield f"{generation_id}: text shown {age:.2f} s before the end is lost"


def _told(story: Story) -> Iterator[str]:
    """Who connects again is told of all that it has missed, in order, and of nothing else."""
    for each in story.caught_up:
        missed = [m for m in story.found[each.session_id] if m["revision"] > each.since]
        missed.sort(key=lambda message: message["revision"])
        if [message_of(event) for event in each.events] != missed:
            yield f"session {each.session_id}: who knew {each.since} was not told what it missed"


def _counted(story: Story) -> Iterator[str]:
    """A session counts its messages, and its head is the last one."""
    for session_id, messages in story.stored.items():
        session = story.sessions[session_id]
        if session["message_count"] != len(messages):
            yield f"session {session_id}: counts {session['message_count']} of {len(messages)}"
        if session["head_id"] != (messages[-1]["id"] if messages else None):
            yield f"session {session_id}: its head is not its last message"
