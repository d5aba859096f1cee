"""Names a session after its first turn: by the first words of the user, or as its model says."""

from __future__ import annotations

import contextlib
import logging
import re

import marshmallow as ma

import chatd

logger = logging.getLogger(__name__)

ASK = (
    "Give this conversation a title of at most six words, in its own language. Answer with the"
    " title alone, without quotes."
)
LONGEST = 60  # characters
ANSWERS_WITHIN = 20.0  # seconds for the model
MOST_ASKED = 2000  # characters of each message that the model is shown
FIRST_TURN = 2  # messages
SETTINGS = {"temperature": 0.2, "max_tokens": 200}


class ConfigSchema(ma.Schema):
    """The table [plugins.title]."""

    by = ma.fields.String(load_default="words", validate=ma.validate.OneOf(["words", "model"]))


@chatd.hookimpl
async def observe(app: chatd.App, event: chatd.Observed) -> None:
    """Name a session whose first turn has ended, if nobody has."""
    session, answer = event.session, event.message
    if event.type != "turn_ended" or session is None or answer is None or answer.parent_id is None:
        return
    if session.title or session.message_count > FIRST_TURN:
        return
    question = await app.store.get_message(event.user_id, session.id, answer.parent_id)
    title = ""
    if app.plugin_config("title")["by"] == "model" and answer.content:
        account = await app.store.get_account(user_id=event.user_id)
        user = account.user if account else chatd.User(id=event.user_id, name="")
        title = await asked(app, user, session, (question.content, answer.content))
    title = title or shortened(question.content)
    if title:
        user = chatd.User(id=event.user_id, name="")
        # The version is that of the fields which users change: whoever was faster has named it.
        with contextlib.suppress(chatd.PreconditionFailed, chatd.NotFound):
            await app.sessions.update(user, session.id, {"title": title}, version=session.version)


async def asked(
    app: chatd.App, user: chatd.User, session: chatd.Session, texts: tuple[str, str]
) -> str:
    """Return what the session's model would name it, empty when that cannot be told."""
    said = (
        chatd.PromptMessage(role="user", content=texts[0]),
        chatd.PromptMessage(role="assistant", content=texts[1]),
        chatd.PromptMessage(role="user", content=ASK),
    )
    try:
        # Whole, and shaped afterwards: half of a word might not be known for what must not be sent.
        text = await app.questions.ask(
            user, session, said, settings=SETTINGS, shape=shown, seconds=ANSWERS_WITHIN
        )
    except chatd.ChatdError as exc:
        logger.info("session %s is named by its first words: %s", session.id, exc)
        return ""
    return shortened(text.strip().strip("\"'`*#“”„«» "))


def shown(prompt: chatd.Prompt) -> chatd.Prompt:
    """Return a prompt with what was said as a text to name: a conversation would be gone on with.

    What plugins have put there for the model stays as it is.
    """
    first = [message for message in prompt.messages if message.role == "system"]
    said = [message.content for message in prompt.messages if message.role != "system"]
    texts = [text[:MOST_ASKED] for text in said if text != ASK]
    asks = "\n\n".join([f"{ASK}\n\n---", *texts, f"---\n\n{ASK}"])
    return prompt.replace(messages=(*first, chatd.PromptMessage(role="user", content=asks)))


def shortened(text: str) -> str:
    """Return the first line that says something, at the end of a word and not too long."""
    line = next((line for line in text.splitlines() if line.strip()), "")
    line = re.sub(r"\s+", " ", line).strip().rstrip(".:")
    if len(line) <= LONGEST:
        return line
    kept = line[: LONGEST - 1]
    return f"{kept.rpartition(' ')[0] or kept}…"
