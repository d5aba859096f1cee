"""What REST answers with besides the objects: lists, the ends of turns, numbers, problems."""

from __future__ import annotations

from collections.abc import Iterator

from marshmallow import fields, validate

from chatd.contract.objects import (
    Answer,
    Message,
    Model,
    Preset,
    Session,
    User,
    count,
    flag,
    mapping,
    maybe,
    nested,
    number,
    one_of,
    several,
    text,
    time,
    uuid,
)
from chatd.errors import ChatdError, ConfigError


def kinds_of(kind: type[ChatdError] = ChatdError) -> Iterator[type[ChatdError]]:
    """Yield a kind of error and all below it that can be on the wire."""
    if kind is not ConfigError:
        yield kind
    for below in kind.__subclasses__():
        yield from kinds_of(below)


class Page(Answer):
    """A page of a list; `next` and `previous` are paths with a query, or null."""

    next = maybe("Path and query of the page behind this one.")
    previous = maybe("Path and query of the page before this one.")


class SessionList(Page):
    """A page of sessions."""

    results = several(Session)


class MessageList(Page):
    """A page of messages, in ascending order."""

    results = several(Message)


class FoundSession(Answer):
    """What a search result tells of its session."""

    id = uuid()
    title = text()


class SearchResult(Answer):
    """A message that a search has found."""

    message = nested(Message, "Whole, also of a branch that is not shown.")
    session = nested(FoundSession)
    snippet = text("The part of the content around the first hit, as plain text.")
    highlights = several(
        fields.List(fields.Integer(validate=validate.Range(0)), validate=validate.Length(2, 2)),
        "The hits in the snippet: from, and up to but not with, in code points.",
    )
    rank = number("A higher one fits better, and says nothing else.")


class SearchPage(Page):
    """A page of what a search has found, the best match first."""

    results = several(SearchResult)


class ModelList(Page):
    """A page of models."""

    results = several(Model)
    default = maybe("The id of the model that a turn uses when nothing names one.")


class PresetList(Page):
    """A page of presets, by name."""

    results = several(Preset)


class TurnEnd(Answer):
    """A user's message and what the model said to it."""

    user_message = nested(Message)
    ai_message = nested(Message, "Its status tells complete from stopped.")
    duplicate = flag("This client_id had been sent before.", required=False)


class TurnAccepted(Answer):
    """A user's message that is being answered."""

    user_message = nested(Message)
    generation_id = uuid()
    duplicate = flag("This client_id had been sent before.", required=False)


class Stopped(Answer):
    """Whether there was something to stop."""

    stopped = flag()


class SignedIn(Answer):
    """A token, and whose it is."""

    token = text("For the header `Authorization: Token ...`; shown this once.")
    expires_at = time(allow_none=True)
    user = nested(User)


class SocketTicket(Answer):
    """What opens one socket within 30 seconds."""

    ticket = text()
    expires_at = time()


class ProviderReport(Answer):
    """What one provider said."""

    ok = flag()
    models = count()
    error = fields.String()


class SyncReport(Answer):
    """What asking the providers changed."""

    synced = count()
    added = count()
    updated = count()
    deactivated = count()
    providers = mapping("By name.", values=fields.Nested(ProviderReport))


class Healthy(Answer):
    """The model server answers."""

    status = text(validate=validate.Equal("healthy"))
    latency_ms = number()
    models = count()


class Unhealthy(Answer):
    """The model server does not answer."""

    status = text(validate=validate.Equal("unhealthy"))
    code = one_of([kind.code for kind in kinds_of()])


class SessionNumbers(Answer):
    """Sessions."""

    total = count()
    active = count()


class MessageNumbers(Answer):
    """Messages."""

    total = count()
    user = count()
    assistant = count()


class TokenNumbers(Answer):
    """Tokens of models."""

    prompt = count()
    completion = count()
    total = count()


class Stats(Answer):
    """The caller's own numbers."""

    sessions = nested(SessionNumbers)
    messages = nested(MessageNumbers)
    tokens = nested(TokenNumbers)
    models = mapping("How many answers each model gave.", values=fields.Integer())
    first_message_at = time(allow_none=True)
    last_message_at = time(allow_none=True)


class Alive(Answer):
    """The process answers."""

    status = text(validate=validate.Equal("ok"))


class Ready(Answer):
    """Turns can be taken."""

    status = text(validate=validate.Equal("ready"))


class Problem(Answer):
    """An error (RFC 9457)."""

    type = text("`urn:chatd:error:` and the code.")
    title = text()
    status = count(low=400)
    detail = text("A sentence that a user may read.")
    code = one_of([kind.code for kind in kinds_of()], "Stable: decide by this.")
    errors = fields.Dict(
        keys=fields.String(),
        values=fields.List(fields.String()),
        metadata={"description": "Of each wrong field, what is wrong; inner ones with dots."},
    )
    request_id = fields.UUID(metadata={"description": "What the log has it under."})


class TurnProblem(Problem):
    """A turn whose generation failed; the user's message is stored all the same."""

    retryable = flag("Whether the same again can succeed.", required=False)
    user_message = nested(Message, required=False)
    ai_message = nested(Message, required=False)
