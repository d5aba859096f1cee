"""Errors as answers: application/problem+json (RFC 9457), the same on every path."""

from __future__ import annotations

import logging
import math
from http import HTTPStatus
from typing import Any

import msgspec
from tornado.web import HTTPError, RequestHandler

from chatd.errors import (
    BadRequest,
    ChatdError,
    Forbidden,
    MethodNotAllowed,
    NotFound,
    TooLarge,
    Unauthenticated,
)

logger = logging.getLogger(__name__)

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")

encode = msgspec.json.Encoder().encode


def as_chatd_error(exc: BaseException | None, status: int = 500) -> ChatdError:
    """Return the error that a caller may see for any exception."""
    if isinstance(exc, ChatdError):
        return exc
    if isinstance(exc, HTTPError):
        status = exc.status_code
    for kind in (NotFound, MethodNotAllowed, Forbidden, TooLarge):
        if kind.status == status:
            return kind()
    return BadRequest() if 400 <= status < 500 else ChatdError()


def problem(error: ChatdError, request_id: str = "") -> dict[str, Any]:
    """Return the body of a problem. With a request id, what is our fault can be looked up."""
    body: dict[str, Any] = {
        "type": f"urn:chatd:error:{error.code}",
        "title": HTTPStatus(error.status).phrase,
        "status": error.status,
        "detail": error.message,
        "code": error.code,
    }
    if error.errors:
        body["errors"] = error.errors
    if error.status >= 500 and request_id:
        body["request_id"] = request_id
    return body


def set_common_headers(handler: RequestHandler, request_id: str) -> None:
    """Set what every answer carries, whatever it is."""
    handler.set_header("X-Request-Id", request_id)
    handler.set_header("X-Content-Type-Options", "nosniff")
    handler.clear_header("Server")


def fill_problem(handler: RequestHandler, error: ChatdError, body: dict[str, Any]) -> bytes:
    """Set status and headers of the answer to an error; return its encoded body."""
    handler.set_status(error.status)
    handler.set_header("Content-Type", "application/problem+json")
    if isinstance(error, Unauthenticated):
        handler.set_header("WWW-Authenticate", "Token")
    if isinstance(error, MethodNotAllowed):
        handler.set_header("Allow", allowed_methods(handler))
    if error.retry_after is not None:
        handler.set_header("Retry-After", str(whole_seconds(error.retry_after)))
    return encode(body)


def whole_seconds(seconds: float) -> int:
    """Return for how long to wait: whole seconds, at least one."""
    return max(1, math.ceil(seconds))


def log_failure(handler: RequestHandler, request_id: str, exc_info: Any) -> None:
    """Log what is our fault; what is the caller's is in the access log. Never a query."""
    error, request = exc_info[1], handler.request
    if isinstance(error, (ChatdError, HTTPError)) and as_chatd_error(error).status < 500:
        return
    if isinstance(error, ChatdError):
        # A failure with a name passes, or is another server's; an error is what needs mending here.
        logger.warning("%s: %s %s: %s", request_id, request.method, request.path, error)
    else:
        logger.error(
            "%s: %s %s failed", request_id, request.method, request.path, exc_info=exc_info
        )


def allowed_methods(handler: RequestHandler) -> str:
    """Return the methods that a handler has, as the Allow header lists them."""
    return ", ".join(method for method in METHODS if _has(handler, method))


def _has(handler: RequestHandler, method: str) -> bool:
    needed = ("head", "get") if method == "HEAD" else (method.lower(),)
    missing = RequestHandler._unimplemented_method
    return all(getattr(type(handler), name) is not missing for name in needed)
