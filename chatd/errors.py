"""The error tree: every failure a caller can see has a status and a stable code.

ChatdError                    500 internal
├── BadRequest                400 bad_request
│   ├── InvalidInput          400 invalid_input
│   └── UnknownEvent          400 unknown_event
├── Unauthenticated           401 unauthorized
├── Forbidden                 403 forbidden
│   └── ReadOnly              403 read_only
├── NotFound                  404 not_found
├── MethodNotAllowed          405 method_not_allowed
├── Conflict                  409 conflict
│   ├── GenerationRunning     409 generation_running
│   └── SessionDeleted        409 session_deleted
├── PreconditionFailed        412 precondition_failed
├── TooLarge                  413 too_large
├── UnsupportedMediaType      415 unsupported_media_type
├── RateLimited               429 rate_limited
│   └── TooManyGenerations    429 too_many_generations
├── Unavailable               503 unavailable
│   ├── ModelUnavailable      503 model_unavailable
│   ├── StoreUnavailable      503 store_unavailable
│   ├── BrokerUnavailable     503 broker_unavailable
│   └── ShuttingDown          503 shutting_down
├── ProviderError             502 provider_error
│   ├── ProviderTimeout       502 provider_timeout
│   ├── ProviderUnavailable   502 provider_unavailable
│   ├── ProviderBusy          502 provider_busy
│   ├── ProviderRefused       502 provider_refused
│   └── ProviderInterrupted   502 provider_interrupted
├── GenerationInterrupted     502 generation_interrupted
├── PromptFailed              502 prompt_failed
└── ConfigError               (never on the wire: it stops the start with its sentence)
"""

from __future__ import annotations


class ChatdError(Exception):
    """Something went wrong inside chatd."""

    status = 500
    code = "internal"
    retryable = False

    def __init__(
        self,
        message: str = "",
        *,
        errors: dict[str, list[str]] | None = None,
        retry_after: float | None = None,
    ) -> None:
        """Take the sentence a user may read; errors maps a field to its messages,
        retry_after is in seconds."""
        super().__init__(message or " ".join((type(self).__doc__ or "").split()))
        self.errors = errors
        self.retry_after = retry_after

    @property
    def message(self) -> str:
        """The sentence a user may read."""
        return str(self)


class BadRequest(ChatdError):
    """The request cannot be understood."""

    status, code = 400, "bad_request"


class InvalidInput(BadRequest):
    """A field is missing, unknown or has a wrong value."""

    code = "invalid_input"


class UnknownEvent(BadRequest):
    """There is no event of this type."""

    code = "unknown_event"


class Unauthenticated(ChatdError):
    """Credentials are missing or wrong."""

    status, code = 401, "unauthorized"


class Forbidden(ChatdError):
    """You may not do this."""

    status, code = 403, "forbidden"


class ReadOnly(Forbidden):
    """This cannot be changed here."""

    code = "read_only"


class NotFound(ChatdError):
    """There is no such thing, or it is not yours."""

    status, code = 404, "not_found"


class MethodNotAllowed(ChatdError):
    """This path does not take this method."""

    status, code = 405, "method_not_allowed"


class Conflict(ChatdError):
    """The request contradicts what is stored."""

    status, code = 409, "conflict"


class GenerationRunning(Conflict):
    """A generation is running in this session."""

    code, retryable = "generation_running", True


class SessionDeleted(Conflict):
    """The session is deleted."""

    code = "session_deleted"


class PreconditionFailed(ChatdError):
    """The object has changed since you read it."""

    status, code = 412, "precondition_failed"


class TooLarge(ChatdError):
    """The request is too large."""

    status, code = 413, "too_large"


class UnsupportedMediaType(ChatdError):
    """The body must be application/json."""

    status, code = 415, "unsupported_media_type"


class RateLimited(ChatdError):
    """Too many requests."""

    status, code, retryable = 429, "rate_limited", True


class TooManyGenerations(RateLimited):
    """Too many of your generations are running."""

    code = "too_many_generations"


class Unavailable(ChatdError):
    """The server cannot do this now."""

    status, code, retryable = 503, "unavailable", True


class ModelUnavailable(Unavailable):
    """The model is not available."""

    code = "model_unavailable"


class StoreUnavailable(Unavailable):
    """The database cannot be reached."""

    code = "store_unavailable"


class BrokerUnavailable(Unavailable):
    """The message broker cannot be reached."""

    code = "broker_unavailable"


class ShuttingDown(Unavailable):
    """The server is shutting down."""

    code = "shutting_down"


class ProviderError(ChatdError):
    """The model provider failed."""

    status, code, retryable = 502, "provider_error", True


class ProviderTimeout(ProviderError):
    """The model provider took too long."""

    code = "provider_timeout"


class ProviderUnavailable(ProviderError):
    """The model provider cannot be reached."""

    code = "provider_unavailable"


class ProviderBusy(ProviderError):
    """The model provider has too much to do."""

    code = "provider_busy"


class ProviderRefused(ProviderError):
    """The model provider refused the request."""

    code, retryable = "provider_refused", False


class ProviderInterrupted(ProviderError):
    """The model provider ended its reply before it was complete."""

    code = "provider_interrupted"


class GenerationInterrupted(ChatdError):
    """The generation was interrupted by a failure of the server."""

    status, code, retryable = 502, "generation_interrupted", True


class PromptFailed(ChatdError):
    """A plugin could not prepare the prompt."""

    status, code = 502, "prompt_failed"


class ConfigError(ChatdError):
    """The configuration is wrong."""

    code = "config_error"
