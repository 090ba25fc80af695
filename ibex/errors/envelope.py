"""A refusal or a failure, and the envelope each dialect wraps it in."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from ibex.errors.codes import EXPLANATIONS, ErrorCode

Dialect = Literal["openai", "anthropic"]

# The Anthropic dialect has its own names for what the OpenAI SDK derives from the status.
_ANTHROPIC_TYPES = {
    402: "billing_error",
    404: "not_found_error",
    413: "request_too_large",
    504: "timeout_error",
    529: "overloaded_error",
}


@dataclass(frozen=True, slots=True)
class FieldError:
    """One rejected field: its path in the body (`messages.3.role`) and why."""

    field: str
    message: str


@dataclass(slots=True, eq=False)
class IbexError(Exception):
    """A refusal or a failure with a code; turned into a response in one place, the HTTP edge.

    `headers` are response headers (`Retry-After`, say). `upstream` is a provider's own error object,
    already free of secrets: its `code`, `type`, `param` and `message` win over ours as far as the dialect
    has them, and so does `upstream_status`, so that a client sees what it would have seen without IBEX.
    """

    code: ErrorCode
    message: str
    detail: str | None = None
    param: str | None = None
    field_errors: Sequence[FieldError] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    upstream: Mapping[str, Any] | None = None
    upstream_status: int | None = None

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"

    @property
    def status(self) -> int:
        return self.upstream_status or EXPLANATIONS[self.code].status


def envelope(
    error: IbexError, dialect: Dialect, *, request_id: str, docs_base_url: str, now: datetime | None = None
) -> dict[str, Any]:
    """The JSON body for an error, in the caller's dialect, so that its SDK raises its own typed error."""
    explanation = EXPLANATIONS[error.code]
    if dialect == "anthropic":
        upstream = error.upstream or {}
        return {
            "type": "error",
            "error": {
                "type": upstream.get("type") or _ANTHROPIC_TYPES.get(error.status, explanation.type),
                "message": upstream.get("message") or error.message,
                "param": error.param,
                "code": error.code,
                "detail": error.detail,
                # Where the official client looks for the code.
                "details": {"error_code": error.code},
                "docs_url": f"{docs_base_url}/errors/{error.code}",
                "field_errors": [{"field": e.field, "message": e.message} for e in error.field_errors],
            },
            "request_id": request_id,
        }
    body: dict[str, Any] = {
        "message": error.message,
        "type": explanation.type,
        "param": error.param,
        "code": str(error.code),
        "detail": error.detail,
        "docs_url": f"{docs_base_url}/errors/{error.code}",
        "request_id": request_id,
        "timestamp": (now or datetime.now(UTC)).isoformat(timespec="milliseconds"),
        "field_errors": [{"field": e.field, "message": e.message} for e in error.field_errors],
    }
    if error.upstream:
        known = ("message", "type", "param", "code")
        body.update({key: error.upstream[key] for key in known if error.upstream.get(key) is not None})
    return {"error": body}
