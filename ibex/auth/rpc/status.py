"""From the project's error codes to gRPC's statuses."""

from grpc import StatusCode

from ibex.auth.rpc.call import Subject
from ibex.errors import EXPLANATIONS, ErrorCode, IbexError

REQUEST_ID = "x-request-id"
ERROR_CODE = "ibex-error-code"
ERROR_SUBJECT = "ibex-error-subject"

# What both interfaces refuse has the same code; each code has one HTTP status, and that one status here.
_BY_HTTP_STATUS = {
    400: StatusCode.INVALID_ARGUMENT,
    401: StatusCode.UNAUTHENTICATED,
    403: StatusCode.PERMISSION_DENIED,
    404: StatusCode.UNIMPLEMENTED,
    429: StatusCode.RESOURCE_EXHAUSTED,
    503: StatusCode.UNAVAILABLE,
}
_ABOUT_A_TOKEN = (
    StatusCode.UNAUTHENTICATED,
    StatusCode.PERMISSION_DENIED,
    StatusCode.RESOURCE_EXHAUSTED,
)

_MESSAGES = {
    ErrorCode.MISSING_AGENT_ID: "The token is not bound to an agent: name one in `agent`.",
    ErrorCode.NETWORK_NOT_ALLOWED: "The token may not be used from this address, or from an unknown one.",
}


def status_of(code: ErrorCode) -> StatusCode:
    return _BY_HTTP_STATUS.get(EXPLANATIONS[code].status, StatusCode.INTERNAL)


def subject_of(status: StatusCode, subject: Subject) -> Subject:
    """Only a refusal is about a token."""
    return subject if status in _ABOUT_A_TOKEN else "request"


def message_of(error: IbexError, subject: Subject) -> str:
    """A sentence for whoever called, who may hold two tokens."""
    message = _MESSAGES.get(error.code, error.message)
    detail = f" {error.detail}" if error.detail else ""
    return f"Your service token: {message}{detail}" if subject == "caller" else f"{message}{detail}"
