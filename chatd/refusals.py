"""What the status of a model server's answer means, when it is not one of success."""

from __future__ import annotations

import email.utils
import logging
import time
from typing import TYPE_CHECKING

from chatd.errors import ProviderBusy, ProviderError, ProviderRefused, ProviderUnavailable

if TYPE_CHECKING:
    import httpx

logger = logging.getLogger("chatd.upstream")


def retry_after(value: str | None) -> float | None:
    """Return the seconds of a Retry-After header: a number or a date (RFC 9110, 10.2.3)."""
    if value is None:
        return None
    if value.strip().isdecimal():
        return float(value[:10])
    try:
        date = email.utils.parsedate_to_datetime(value)
    except ValueError:
        return None
    return max(0.0, date.timestamp() - time.time())


def refusal(name: str, response: httpx.Response) -> ProviderError:
    """Return the error for an answer; a Retry-After of its server is kept."""
    status = response.status_code
    wait = retry_after(response.headers.get("retry-after"))
    logger.warning("%s answered %s", name, status)
    who = f"The model provider {name}"
    if status < 400:
        return ProviderError(f"{who} answered with a redirect, which is not followed.")
    if status in (429, 529):  # 529 is Anthropic's: all its users together ask too much
        return ProviderBusy(f"{who} has too much to do.", retry_after=wait)
    if status in (502, 503, 504):
        return ProviderUnavailable(f"{who} is not available.", retry_after=wait)
    if status >= 500:
        return ProviderError(f"{who} failed.")
    if status == 404:
        return ProviderRefused(f"{who} has no such model, or its URL is wrong (404).")
    return ProviderRefused(f"{who} refused the request ({status}).")
