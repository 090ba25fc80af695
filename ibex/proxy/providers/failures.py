"""What can go wrong at a provider, and what the client is told of it."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from math import ceil, isfinite
from typing import Any, Literal

import orjson

from ibex.auth import KeyOwner, ProviderKey
from ibex.errors import ErrorCode, IbexError

# A mismatch is JSON where a stream was asked for, or a stream where JSON was: some models know only one.
Kind = Literal[
    "unreachable", "timeout", "invalid", "mismatch", "rate_limited", "refused_credentials", "error"
]

_RETRYABLE_STATUSES = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})
# Another provider may have credit left, or the model.
_OF_ONE_PROVIDER = _RETRYABLE_STATUSES | {402, 404}
_LONGEST_MESSAGE = 2_000
_WHOSE_KEY: Mapping[KeyOwner, str] = {
    "installation": "this installation",
    "organization": "the key of your organization",
    "caller": "the key in X-IBEX-Provider-Key",
}
# What keys look like at the common providers, whole or with their middle starred out: a name as
# `pk_customer_id` is none. A digit is looked for within bounds, so that a hostile message costs no more than
# its length.
_LOOKS_LIKE_A_KEY = re.compile(
    r"\b(?:sk|pk|rk|gsk|xai)[-_](?=[a-z_.\-]{0,64}[0-9*])[a-z0-9*_\-.]{16,}|Bearer\s+\S+", re.IGNORECASE
)


@dataclass(slots=True, eq=False)
class AttemptFailedError(Exception):
    """One attempt that came to nothing, made with the key of `key_owner`."""

    kind: Kind
    status: int | None = None
    retry_after: float | None = None
    error: Mapping[str, Any] | None = field(default=None, repr=False)
    key_owner: KeyOwner = "installation"

    @property
    def outcome(self) -> str:
        """What the attempt is counted as in metrics."""
        if self.concerns_one_key:
            return f"{self.kind}_own_key"
        return "invalid" if self.kind == "mismatch" else self.kind

    @property
    def concerns_one_key(self) -> bool:
        """Whether it says something of a key that is not the installation's, and so nothing to all others."""
        return self.key_owner != "installation" and self.kind in {"rate_limited", "refused_credentials"}

    @property
    def is_retryable(self) -> bool:
        """Whether the same request may do better a moment later. A timeout has used up its time already."""
        if self.status is not None:
            return self.status in _RETRYABLE_STATUSES
        return self.kind in {"unreachable", "invalid"}

    @property
    def blames_the_request(self) -> bool:
        """Whether any other provider would refuse the request as well."""
        return (
            self.kind == "error"
            and self.status is not None
            and 400 <= self.status < 500
            and self.status not in _OF_ONE_PROVIDER
        )

    @property
    def blames_the_provider(self) -> bool:
        """Whether the circuit breaker should hear of it."""
        return self.kind in {"unreachable", "timeout", "invalid"} or (self.status or 0) >= 500


def from_answer(
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    secrets: Sequence[str],
    key: ProviderKey | None = None,
) -> AttemptFailedError:
    """The failure that an answer with an error status is; secrets are cut out of everything it says.

    `secrets` are the installation's; `key` is the one that was used in place of its own.
    """
    kind: Kind = "error"
    if status in {401, 403, 407}:
        kind = "refused_credentials"
    elif status == 429:
        kind = "rate_limited"
    elif not 400 <= status < 600:
        kind = "invalid"
    return AttemptFailedError(
        kind,
        status,
        retry_after=_retry_after(headers.get("Retry-After")),
        error=_error_object(body, secrets if key is None else (*secrets, key.text)),
        key_owner="installation" if key is None else key.owner,
    )


def to_error(failure: AttemptFailedError, provider: str) -> IbexError:
    """What the client is told; status and message are the provider's own where they concern the request."""
    headers = (
        {"Retry-After": str(max(1, ceil(failure.retry_after)))} if failure.retry_after is not None else {}
    )
    if failure.kind == "unreachable":
        return IbexError(
            ErrorCode.PROVIDER_UNAVAILABLE,
            f"The provider `{provider}` cannot be reached.",
            headers=headers or {"Retry-After": "5"},
        )
    if failure.kind == "timeout":
        return IbexError(ErrorCode.PROVIDER_TIMEOUT, f"The provider `{provider}` did not answer in time.")
    if failure.kind in {"invalid", "mismatch"}:
        return IbexError(
            ErrorCode.PROVIDER_INVALID_RESPONSE,
            f"The provider `{provider}` gave an answer that is not of its interface.",
        )
    if failure.kind == "refused_credentials" and failure.key_owner != "installation":
        return IbexError(
            ErrorCode.PROVIDER_KEY_REFUSED,
            f"The provider `{provider}` refuses {_WHOSE_KEY[failure.key_owner]} (status {failure.status}).",
        )
    if failure.kind == "refused_credentials":
        return IbexError(
            ErrorCode.PROVIDER_UNAVAILABLE,
            f"The provider `{provider}` refuses this installation's credentials. Tell whoever operates it.",
        )
    if failure.kind == "rate_limited":
        return IbexError(
            ErrorCode.PROVIDER_RATE_LIMITED,
            f"The provider `{provider}` limits {_WHOSE_KEY[failure.key_owner]}.",
            headers=headers,
            upstream=failure.error,
        )
    return IbexError(
        ErrorCode.PROVIDER_ERROR,
        f"The provider `{provider}` answered with status {failure.status}.",
        headers=headers,
        upstream=failure.error,
        upstream_status=failure.status,
    )


def _retry_after(text: str | None) -> float | None:
    """Seconds, from either form of RFC 9110, section 10.2.3."""
    if text is None:
        return None
    try:
        seconds = float(text)
        return max(0.0, seconds) if isfinite(seconds) else None
    except ValueError:
        pass
    try:
        return max(0.0, (parsedate_to_datetime(text) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return None


def _error_object(body: bytes, secrets: Sequence[str]) -> Mapping[str, Any] | None:
    """The provider's error object with its texts made safe; None when the body is not of that form."""
    try:
        parsed = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    error = parsed.get("error") if isinstance(parsed, dict) else None
    if isinstance(error, str):
        error = {"message": error}
    if not isinstance(error, dict):
        return None
    return {
        name: _without_secrets(value, secrets) if isinstance(value, str) else value
        for name, value in error.items()
        if name in {"message", "type", "param", "code"} and isinstance(value, str | int)
    }


def _without_secrets(text: str, secrets: Sequence[str]) -> str:
    for secret in secrets:
        text = text.replace(secret, "[redacted]")
    return _LOOKS_LIKE_A_KEY.sub("[redacted]", text)[:_LONGEST_MESSAGE]
