"""Error codes, and what each one means.

The table below is the single source: statuses, SDK error types, the `/errors/<CODE>` pages that
every answer links to, and `docs/errors.md` are all read from it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Explanation:
    """What a code means: HTTP status, the type that official SDKs know, and prose for a person."""

    status: int
    type: str
    meaning: str
    remedy: str


class ErrorCode(StrEnum):
    """Stable, UPPER_SNAKE names that callers may match on."""

    INVALID_REQUEST = "INVALID_REQUEST"
    INVALID_JSON = "INVALID_JSON"
    VALIDATION_ERROR = "VALIDATION_ERROR"
    MISSING_AGENT_ID = "MISSING_AGENT_ID"
    MISSING_TOKEN = "MISSING_TOKEN"  # noqa: S105
    INVALID_TOKEN = "INVALID_TOKEN"  # noqa: S105
    TOKEN_EXPIRED = "TOKEN_EXPIRED"  # noqa: S105
    TOKEN_REVOKED = "TOKEN_REVOKED"  # noqa: S105
    INSUFFICIENT_PERMISSIONS = "INSUFFICIENT_PERMISSIONS"
    AGENT_NOT_AUTHORIZED = "AGENT_NOT_AUTHORIZED"
    AGENT_SUSPENDED = "AGENT_SUSPENDED"
    USER_SUSPENDED = "USER_SUSPENDED"
    NETWORK_NOT_ALLOWED = "NETWORK_NOT_ALLOWED"
    CALLER_KEY_NOT_ALLOWED = "CALLER_KEY_NOT_ALLOWED"
    ACCESS_DENIED = "ACCESS_DENIED"
    ORGANIZATION_SUSPENDED = "ORGANIZATION_SUSPENDED"
    NOT_FOUND = "NOT_FOUND"
    METHOD_NOT_ALLOWED = "METHOD_NOT_ALLOWED"
    CONFLICT = "CONFLICT"
    DUPLICATE_CONTENT = "DUPLICATE_CONTENT"
    REQUEST_TIMEOUT = "REQUEST_TIMEOUT"
    CONTEXT_LENGTH_EXCEEDED = "CONTEXT_LENGTH_EXCEEDED"
    PAYLOAD_TOO_LARGE = "PAYLOAD_TOO_LARGE"
    UNSUPPORTED_MEDIA_TYPE = "UNSUPPORTED_MEDIA_TYPE"
    HEADERS_TOO_LARGE = "HEADERS_TOO_LARGE"
    RATE_LIMITED = "RATE_LIMITED"
    QUOTA_EXCEEDED = "QUOTA_EXCEEDED"
    IDEMPOTENCY_KEY_REUSE = "IDEMPOTENCY_KEY_REUSE"
    IDEMPOTENCY_IN_PROGRESS = "IDEMPOTENCY_IN_PROGRESS"
    PROVIDER_NOT_CONFIGURED = "PROVIDER_NOT_CONFIGURED"
    PROVIDER_ERROR = "PROVIDER_ERROR"
    PROVIDER_INVALID_RESPONSE = "PROVIDER_INVALID_RESPONSE"
    PROVIDER_UNAVAILABLE = "PROVIDER_UNAVAILABLE"
    PROVIDER_RATE_LIMITED = "PROVIDER_RATE_LIMITED"
    PROVIDER_TIMEOUT = "PROVIDER_TIMEOUT"
    PROVIDER_KEY_REFUSED = "PROVIDER_KEY_REFUSED"
    CREDENTIALS_UNAVAILABLE = "CREDENTIALS_UNAVAILABLE"
    AUTH_UNAVAILABLE = "AUTH_UNAVAILABLE"
    SERVICE_DEGRADED = "SERVICE_DEGRADED"
    INTERNAL_ERROR = "INTERNAL_ERROR"


_INVALID = "invalid_request_error"

EXPLANATIONS: Mapping[ErrorCode, Explanation] = {
    ErrorCode.INVALID_REQUEST: Explanation(
        400,
        _INVALID,
        "The bytes received are not a valid HTTP request.",
        "Check for control characters in headers and for a proxy that alters requests.",
    ),
    ErrorCode.INVALID_JSON: Explanation(
        400,
        _INVALID,
        "The body is not valid JSON, or it ended early.",
        "Send one complete JSON object, encoded as UTF-8.",
    ),
    ErrorCode.VALIDATION_ERROR: Explanation(
        400,
        _INVALID,
        "A field or header has a value that cannot be accepted.",
        "`param` and `field_errors` name the fields; correct them and send the request again.",
    ),
    ErrorCode.MISSING_AGENT_ID: Explanation(
        400,
        _INVALID,
        "The token is not bound to an agent and the request names none.",
        "Send `X-IBEX-Agent-ID` with the agent's id or slug, or use a token bound to an agent.",
    ),
    ErrorCode.MISSING_TOKEN: Explanation(
        401,
        "authentication_error",
        "The request carries no bearer token.",
        "Send `Authorization: Bearer ibex_pat_…` or `x-api-key: ibex_pat_…` (in official SDKs: `api_key`).",
    ),
    ErrorCode.INVALID_TOKEN: Explanation(
        401,
        "authentication_error",
        "The token is mistyped or is not one of this installation.",
        "Copy the token again, or create one with `ibex token create`.",
    ),
    ErrorCode.TOKEN_EXPIRED: Explanation(
        401,
        "authentication_error",
        "The token was valid until its expiry date, which has passed.",
        "Create a new token with `ibex token create` and replace it in the agent.",
    ),
    ErrorCode.TOKEN_REVOKED: Explanation(
        401,
        "authentication_error",
        "The token was revoked.",
        "Ask whoever revoked it; create a new one with `ibex token create`.",
    ),
    ErrorCode.INSUFFICIENT_PERMISSIONS: Explanation(
        403,
        "permission_error",
        "The token lacks a permission that this call needs.",
        "`detail` names the missing permissions; use a token that has them.",
    ),
    ErrorCode.AGENT_NOT_AUTHORIZED: Explanation(
        403,
        "permission_error",
        "The token may not act for the agent that was named, or there is no such agent.",
        "Name an agent of the token's organization (`ibex agent list`); a bound token serves one agent.",
    ),
    ErrorCode.AGENT_SUSPENDED: Explanation(
        403,
        "permission_error",
        "The agent that the call is made for, or that the token is bound to, is paused.",
        "An administrator resumes it with `ibex agent resume`.",
    ),
    ErrorCode.USER_SUSPENDED: Explanation(
        403,
        "permission_error",
        "The token belongs to a user who is suspended or was removed.",
        "An administrator resumes the user, or creates a token that is bound to nobody.",
    ),
    ErrorCode.NETWORK_NOT_ALLOWED: Explanation(
        403,
        "permission_error",
        "The token may be used from certain networks only, and the request comes from another.",
        "Call from an allowed network. Behind a load balancer, `trusted_proxies` must name it.",
    ),
    ErrorCode.CALLER_KEY_NOT_ALLOWED: Explanation(
        403,
        "permission_error",
        "The request brings a provider key of its own, which the organization does not allow.",
        "Leave `X-IBEX-Provider-Key` out, or have an administrator allow keys of callers.",
    ),
    ErrorCode.ACCESS_DENIED: Explanation(
        403,
        "permission_error",
        "What was named is not there, or belongs to another organization; which of the two, is not told.",
        "Check the id, and that the token is of the right organization.",
    ),
    ErrorCode.ORGANIZATION_SUSPENDED: Explanation(
        403,
        "permission_error",
        "The organization is suspended, or about to be deleted.",
        "Contact whoever operates this installation.",
    ),
    ErrorCode.NOT_FOUND: Explanation(
        404,
        _INVALID,
        "There is nothing at this path.",
        "Check the base URL: for the OpenAI SDK it ends in `/v1`, for Anthropic's it does not.",
    ),
    ErrorCode.METHOD_NOT_ALLOWED: Explanation(
        405, _INVALID, "The path exists, but not for this method.", "`Allow` names the methods."
    ),
    ErrorCode.CONFLICT: Explanation(
        409,
        _INVALID,
        "What is asked does not go with how things are: a name is taken, there are too many, an organization "
        "keeps an owner.",
        "The message says what stands in the way; change that first. `param` names a field that is taken.",
    ),
    ErrorCode.DUPLICATE_CONTENT: Explanation(
        409,
        _INVALID,
        "The same text is remembered in this scope already.",
        "`detail` is the id of the memory that has it; change that one, or leave it as it is.",
    ),
    ErrorCode.REQUEST_TIMEOUT: Explanation(
        408,
        _INVALID,
        "The body did not arrive in time.",
        "Send the request again; `body_timeout_seconds` is the limit.",
    ),
    ErrorCode.CONTEXT_LENGTH_EXCEEDED: Explanation(
        400,
        _INVALID,
        "The conversation has more tokens than the model's context window. In OpenAI's dialect `code` is "
        "`context_length_exceeded`, as OpenAI has it.",
        "Send a shorter conversation or ask a model with a larger window; the message says how many tokens "
        "there are and how many fit. If the model takes more, set `context.models` to its window.",
    ),
    ErrorCode.PAYLOAD_TOO_LARGE: Explanation(
        413,
        _INVALID,
        "The body is larger than this installation accepts.",
        "Send less, or raise `body_limit_bytes`.",
    ),
    ErrorCode.UNSUPPORTED_MEDIA_TYPE: Explanation(
        415,
        _INVALID,
        "The body is not plain JSON.",
        "Send `Content-Type: application/json` and no `Content-Encoding`.",
    ),
    ErrorCode.HEADERS_TOO_LARGE: Explanation(
        431,
        _INVALID,
        "The request's headers are larger than this installation accepts.",
        "Send smaller headers, or raise `header_limit_bytes`.",
    ),
    ErrorCode.RATE_LIMITED: Explanation(
        429,
        "rate_limit_error",
        "A limit was reached: of requests or tokens per minute, of requests at a time, or of named agents "
        "that are not there.",
        "Wait for `Retry-After` seconds; `detail` names the limit. An administrator may raise it.",
    ),
    ErrorCode.QUOTA_EXCEEDED: Explanation(
        429,
        "rate_limit_error",
        "What the agent or the organization may use in a calendar month is used up.",
        "Wait for the next month, which begins in `Retry-After` seconds, or have the quota raised: that of "
        "an agent by an administrator of the organization, that of the organization by who runs IBEX.",
    ),
    ErrorCode.IDEMPOTENCY_KEY_REUSE: Explanation(
        422,
        _INVALID,
        "The idempotency key was used before with another request.",
        "Use a new key for every distinct request.",
    ),
    ErrorCode.IDEMPOTENCY_IN_PROGRESS: Explanation(
        409,
        _INVALID,
        "The first request with this idempotency key has not finished.",
        "Wait for `Retry-After` seconds and send the same request again.",
    ),
    ErrorCode.PROVIDER_NOT_CONFIGURED: Explanation(
        501,
        "api_error",
        "No configured provider serves the model that was asked for in the dialect of the call.",
        "The message lists the names that exist, or the path to call; correct it, or declare a provider.",
    ),
    ErrorCode.PROVIDER_ERROR: Explanation(
        502,
        "api_error",
        "The provider broke off its answer or reported an error of its own.",
        "Try again; `request_id` finds the call in the logs.",
    ),
    ErrorCode.PROVIDER_INVALID_RESPONSE: Explanation(
        502,
        "api_error",
        "The provider's answer is not what its interface promises.",
        "Check that the provider's base URL is right (`ibex doctor`), then try again.",
    ),
    ErrorCode.PROVIDER_UNAVAILABLE: Explanation(
        503,
        "api_error",
        "The provider cannot be reached, or refuses the credentials of this installation.",
        "Try again later; an operator finds the cause with `ibex doctor` and in the logs.",
    ),
    ErrorCode.PROVIDER_RATE_LIMITED: Explanation(
        429,
        "rate_limit_error",
        "The provider itself limits this installation.",
        "Wait for `Retry-After` seconds, or declare a fallback for the model.",
    ),
    ErrorCode.PROVIDER_TIMEOUT: Explanation(
        504,
        "api_error",
        "The provider did not answer in time.",
        "Try again; the provider's timeouts can be raised in its settings.",
    ),
    ErrorCode.PROVIDER_KEY_REFUSED: Explanation(
        403,
        "permission_error",
        "The provider refuses the key that was used: the organization's own, or the one the request brought.",
        "The message says whose it is. Replace it, or remove it so that the installation's own key is used.",
    ),
    ErrorCode.CREDENTIALS_UNAVAILABLE: Explanation(
        503,
        "api_error",
        "The organization's own provider key cannot be had; the installation's key never takes its place.",
        "Try again shortly. If it lasts, an operator finds the cause in the log, or the key is set again.",
    ),
    ErrorCode.AUTH_UNAVAILABLE: Explanation(
        503,
        "api_error",
        "The token cannot be checked because the database does not answer; nothing is let through unchecked.",
        "Try again shortly; an operator looks at `/ready`.",
    ),
    ErrorCode.SERVICE_DEGRADED: Explanation(
        503,
        "api_error",
        "Something that this call needs does not answer at the moment.",
        "If something was to be changed, look whether it was, and try again shortly; an operator looks at "
        "`/ready`.",
    ),
    ErrorCode.INTERNAL_ERROR: Explanation(
        500,
        "api_error",
        "Something failed that should not have.",
        "Report it with the `request_id`; the log has the cause.",
    ),
}
