"""Bounds what a user may have in a day: turns, and tokens as the model servers count them.

The day is that of UTC. What was used is kept in the store: it survives restarts, and servers that
share a store share it. Turns are counted before they begin, also several at once; tokens are known
when an answer has ended, so turns that run at that time may go above.
"""

from __future__ import annotations

import datetime as dt

import marshmallow as ma

import chatd

NAME = "quota"
BYTES_PER_TOKEN = 3  # of an answer whose server counts no tokens


class ConfigSchema(ma.Schema):
    """The table [plugins.quota]; 0 is no bound."""

    turns_per_day = ma.fields.Integer(load_default=0, validate=ma.validate.Range(min=0))
    tokens_per_day = ma.fields.Integer(load_default=0, validate=ma.validate.Range(min=0))
    # Who has one of these roles has no bound.
    exempt_roles = ma.fields.List(ma.fields.String(), load_default=list)


@chatd.hookimpl
async def before_turn(app: chatd.App, user: chatd.User) -> None:
    """Count a turn, or refuse it until tomorrow."""
    config = app.plugin_config(NAME)
    if not {*user.roles}.isdisjoint(config["exempt_roles"]):
        return
    day = Day()
    if config["tokens_per_day"]:
        used = await app.store.get_datum(NAME, day.key(user.id, "tokens"))
        if used is not None and used.value >= config["tokens_per_day"]:
            raise day.used_up(f"{config['tokens_per_day']} tokens")
    if config["turns_per_day"]:
        counted = await app.store.add_to_count(
            NAME, day.key(user.id, "turns"), most=config["turns_per_day"], expires_at=day.forgotten
        )
        if counted is None:
            raise day.used_up(f"{config['turns_per_day']} turns")


@chatd.hookimpl
async def observe(app: chatd.App, event: chatd.Observed) -> None:
    """Count the tokens of a turn that has ended."""
    answer = event.message
    if (
        event.type != "turn_ended"
        or answer is None
        or not app.plugin_config(NAME)["tokens_per_day"]
    ):
        return
    usage = answer.usage
    tokens = usage.total_tokens or usage.prompt_tokens + usage.completion_tokens if usage else 0
    # Not what is stored: who stops an answer says how much of it is kept, and has read it all.
    said = max(event.detail.get("said", 0), len(answer.content.encode()))
    tokens = tokens or said // BYTES_PER_TOKEN
    if tokens:
        day = Day(event.at)
        await app.store.add_to_count(
            NAME, day.key(event.user_id, "tokens"), tokens, expires_at=day.forgotten
        )


class Day:
    """The day of a time, by default of now."""

    def __init__(self, time: dt.datetime | None = None) -> None:
        self.time = time or chatd.now()
        self.end = dt.datetime.combine(
            self.time.date() + dt.timedelta(days=1), dt.time(), tzinfo=dt.UTC
        )
        self.forgotten = self.end + dt.timedelta(days=1)

    def key(self, user_id: str, what: str) -> str:
        """Return the key of what a user has used in this day."""
        return f"{self.time.date()}/{user_id}/{what}"

    def used_up(self, what: str) -> chatd.RateLimited:
        """Return the error that says so, and when the next day begins."""
        wait = (self.end - self.time).total_seconds()
        return chatd.RateLimited(
            f"You may have {what} a day; the next day begins at midnight UTC.", retry_after=wait
        )
