"""What must hold of the text that a model said, that readers were shown, and that is stored."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

from said import MOST_CALLS, is_explained, mode_of, said
from story import MODEL_SERVER, STORE, Message, Prompt, Seen, Story, all_of, path_to

CHECKPOINTED_AFTER = 1.0  # seconds: promise 5
MENDED_AFTER = 5.0  # seconds that a server may need to find its store again


def texts_shown(seen: Sequence[Seen]) -> Iterator[tuple[Seen, str, str]]:
    """Yield each chunk with its generation and the text that its reader shows from then on."""
    shown: dict[tuple[str, str], tuple[int, str]] = defaultdict(lambda: (0, ""))
    for each in seen:
        event = each.event
        if event["type"] not in ("ai_message_chunk", "ai_reasoning_chunk"):
            continue
        key = each.by, event["generation_id"]
        have, text = shown[key]
        if event["seq"] <= have:
            continue
        if event["prev"] not in (0, have):
            text = "a hole in the log: nothing continues this "
        content = event["content"] if event["type"] == "ai_message_chunk" else ""
        text = content if event["prev"] == 0 else text + content
        shown[key] = event["seq"], text
        yield each, event["generation_id"], text
        if event.get("full_content", text) != text:
            yield each, event["generation_id"], event["full_content"]


def _prompts_by_text(story: Story) -> dict[str, list[Prompt]]:
    asked = defaultdict(list)
    for prompt in story.prompts:
        asked[prompt[-1]["content"]].append(prompt)
    return asked


def asked_once(story: Story) -> Iterator[str]:
    """The model was asked at most once for each answer, with just what it continues.

    A call that brought no byte may be repeated; nobody but the model server knows which did.
    """
    asked = _prompts_by_text(story)
    was_away = any(fault.name.startswith(MODEL_SERVER) for fault in story.faults)
    for messages in story.stored.values():
        answers = Counter(m["parent_id"] for m in messages if m["role"] == "assistant")
        for message in messages:
            prompts = asked[message["content"]] if message["role"] == "user" else []
            calls = MOST_CALLS if was_away else max((said(p).calls for p in prompts), default=1)
            if len(prompts) > answers[message["id"]] * calls:
                yield f"{message['content']!r}: the model was asked {len(prompts)} times"
            history = [m for m in path_to(message, messages) if m["role"] == "user" or m["content"]]
            prompt = [{"role": m["role"], "content": m["content"]} for m in history]
            if any(each != prompt for each in prompts):
                yield f"{message['content']!r}: the model was not asked what is stored"


def _prompts(story: Story) -> dict[str, Prompt]:
    """Return what the model was asked for each generation that it was asked for."""
    asked = _prompts_by_text(story)
    messages = all_of(story.stored)
    texts = {m["id"]: m["content"] for m in messages}
    return {
        m["generation_id"]: asked[text][0]
        for m in messages
        if (text := texts.get(m["parent_id"])) in asked
    }


def as_the_model_said(story: Story) -> Iterator[str]:
    """A complete answer is the model's reply, any other one is a beginning of it."""
    prompts = _prompts(story)
    for answer in all_of(story.stored, "assistant"):
        name, text, status = answer["generation_id"], answer["content"], answer["status"]
        prompt = prompts.get(name)
        says = said(prompt) if prompt else None
        if status == "complete":
            if says is None or not says.is_whole(text):
                yield f"{name}: complete, but the model has said something else"
        elif not (says.text if says else "").startswith(text):
            yield f"{name}: {status} with what the model has not said"
        is_good = status in ("complete", "stopped")
        if not is_good and not _is_explained(story, answer, prompt):
            yield f"{name}: {status} by {answer['error']}"


def _is_explained(story: Story, answer: Message, prompt: Prompt | None) -> bool:
    """Whether something that was done explains how an answer has failed."""
    code = (answer["error"] or {}).get("code")
    if answer["status"] == "interrupted" and code == "generation_interrupted":
        return True  # by the end of a server, or by its store
    was_away = any(fault.name.startswith(MODEL_SERVER) for fault in story.faults)
    if prompt is not None and is_explained(answer, mode_of(prompt), was_away=was_away):
        return True
    away = ("provider_unavailable", "provider_interrupted")
    return was_away and answer["status"] in ("error", "interrupted") and code in away


def as_shown(story: Story) -> Iterator[str]:
    """Text that was shown is the beginning of what the model said."""
    replies = {name: said(prompt).text for name, prompt in _prompts(story).items()}
    for each, generation_id, text in texts_shown(story.seen):
        if not replies.get(generation_id, "").startswith(text):
            yield f"{generation_id}: {each.by} was shown what the model has not said: {text[-40:]}"


def old_text(story: Story) -> Iterator[str]:
    """Text that had been shown for a second when its server was killed is in the answer.

    All of it is when the server was asked to end; none need be when its store was away.
    """
    found = {m["id"]: m for m in all_of(story.found, "assistant")}
    for each, generation_id, text in texts_shown(story.seen):
        answer = found.get(generation_id)
        if answer is None or answer["status"] != "interrupted" or each.life >= len(story.ends):
            continue
        end = story.ends[each.life]
        late = 0.0 if end.is_orderly else CHECKPOINTED_AFTER + story.late_by
        if each.at > end.at - late or _could_not_write(story, each.at, end.at):
            continue
        if not answer["content"].startswith(text):
            age = end.at - each.at
            yield f"{generation_id}: text shown {age:.2f} s before the end is lost"


def _could_not_write(story: Story, began: float, ended: float) -> bool:
    """Whether the store was away, or slow, for a part of this time."""
    return any(
        fault.name.startswith(STORE)
        and fault.began <= ended
        and began <= fault.ended + MENDED_AFTER
        for fault in story.faults
    )
