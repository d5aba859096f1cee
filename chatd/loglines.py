"""Lines of the log, as text or as JSON, each with the id of the request it belongs to."""

from __future__ import annotations

import json
import logging
import re
import sys
from datetime import UTC, datetime
from typing import TextIO

from chatd import tracing

TEXT = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"

# Their lines on our requests would show URLs with tokens, or bodies.
QUIET = ("tornado.access", "tornado.general", "httpx", "httpcore", "aiohttp.access")

# What ends a line or speaks to a terminal. URLs bring it, and names of users.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")

# A line that begins with an id says itself what it is about: a socket that is closed on behalf of
# another request's generation, for one.
_OWN_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}(?![0-9a-f-])")


class RequestId(logging.Filter):
    """Gives every record the `request_id` of the task that logs, empty if it has none."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Let the record pass."""
        current = tracing.request_id.get()
        record.request_id = "" if current == "-" else current
        return True


def _request_id(record: logging.LogRecord, message: str) -> str:
    own = _OWN_ID.match(message)
    return own[0] if own else getattr(record, "request_id", "")


class TextLine(logging.Formatter):
    """A line for people: the id of the request stands at its end, if not at its beginning.

    Control characters are escaped, so that nobody writes a line of their own, or to a terminal.
    """

    def __init__(self) -> None:
        super().__init__(TEXT)

    def formatMessage(self, record: logging.LogRecord) -> str:
        """Return the line without a traceback."""
        line = _CONTROL.sub(_escaped, super().formatMessage(record))
        request_id = _request_id(record, record.message)
        if not request_id or record.message.startswith(request_id):
            return line
        return f"{line} [{request_id}]"


def _escaped(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode()


class JsonLine(logging.Formatter):
    """A line for machines: one JSON object, ASCII alone, so that no text can break the line."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the object; what there is not is left out."""
        time = datetime.fromtimestamp(record.created, UTC)
        message = record.getMessage()
        line = {
            "time": time.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname,
            "logger": record.name,
            "message": message,
        }
        if request_id := _request_id(record, message):
            line["request_id"] = request_id
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line)


def configure(level: str, format: str, stream: TextIO = sys.stderr) -> None:
    """Log to a stream, a line for each thing that happened; format is `text` or `json`."""
    handler = logging.StreamHandler(stream)
    handler.addFilter(RequestId())
    handler.setFormatter(JsonLine() if format == "json" else TextLine())
    logging.basicConfig(level=level, handlers=[handler])
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
