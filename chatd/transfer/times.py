"""Times out of files."""

from __future__ import annotations

import datetime as dt
from typing import Any

LATEST = 4_102_444_800  # 2100, in seconds: a number that is greater is in milliseconds


def time_of(value: Any) -> dt.datetime | None:
    """Return a time as files have it: seconds or milliseconds since 1970, or ISO 8601."""
    try:
        if isinstance(value, str):
            time = dt.datetime.fromisoformat(value)
        elif isinstance(value, int | float) and not isinstance(value, bool) and value > 0:
            time = dt.datetime.fromtimestamp(value if value < LATEST else value / 1000, dt.UTC)
        else:
            return None
    except (ValueError, OverflowError, OSError):
        return None
    return in_utc(time)


def in_utc(time: dt.datetime) -> dt.datetime:
    """Return a time in UTC and whole milliseconds; one without a zone is in UTC."""
    try:
        time = time.astimezone(dt.UTC) if time.tzinfo else time.replace(tzinfo=dt.UTC)
    except OverflowError:  # the first and the last hours of the calendar
        time = time.replace(tzinfo=dt.UTC)
    return time.replace(microsecond=time.microsecond // 1000 * 1000)
