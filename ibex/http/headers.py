"""The headers that IBEX itself reads."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from ibex.errors import ErrorCode, IbexError
from ibex.http.asgi import Scope

_SESSION_ID = re.compile(r"[\x21-\x7e]{1,64}")
_AGENT = re.compile(r"[A-Za-z0-9-]{1,64}")
_USER_ID = re.compile(r"[^\x00-\x1f\x7f]{1,256}")
_DIRECTIVE = re.compile(r"[0-9A-Fa-f-]{1,36}")
_TRUE_OR_FALSE = re.compile(r"[Tt]rue|[Ff]alse|1|0")
_IDEMPOTENCY_KEY = re.compile(r"[\x20-\x7e]{1,256}")
PROVIDER_KEY = re.compile(r"[\x21-\x7e]{8,512}")
PROVIDER_KEY_FORM = "8 to 512 printable ASCII characters, no spaces"
_LISTS = frozenset({b"anthropic-beta", b"openai-beta"})
# Two of these would leave it to chance who is asking, and for whom.
_GIVEN_ONCE = {
    b"authorization": "Authorization",
    b"x-api-key": "X-Api-Key",
    b"x-ibex-agent-id": "X-IBEX-Agent-ID",
    b"x-ibex-session-id": "X-IBEX-Session-ID",
    b"x-ibex-user-id": "X-IBEX-User-ID",
    b"idempotency-key": "Idempotency-Key",
    b"x-ibex-provider-key": "X-IBEX-Provider-Key",
}


@dataclass(frozen=True, slots=True)
class RequestHeaders:
    """The headers that IBEX itself reads; each is checked when it is used, not before its step."""

    fields: dict[bytes, bytes] = field(repr=False)
    repeated: str | None = None

    @classmethod
    def of(cls, scope: Scope) -> "RequestHeaders":
        sent = scope["headers"]
        fields = dict(sent)
        if len(fields) == len(sent):
            return cls(fields)
        # A list may come in several lines (RFC 9110, section 5.3).
        for name in _LISTS & fields.keys():
            fields[name] = b",".join(value for key, value in sent if key == name)
        return cls(fields, _repeated(sent))

    def refuse_repeated(self) -> None:
        """Raises VALIDATION_ERROR when one that must be given once was given again."""
        if self.repeated is not None:
            raise IbexError(
                ErrorCode.VALIDATION_ERROR, f"`{self.repeated}` was sent more than once.", param=self.repeated
            )

    def text(self, name: bytes) -> str | None:
        """A header's value, its name in lower case; None when absent or empty."""
        value = self.fields.get(name)
        return value.decode("utf-8", "replace").strip() or None if value else None

    def bearer_token(self) -> str:
        """Raises MISSING_TOKEN, or INVALID_TOKEN when the scheme is another."""
        authorization = self.text(b"authorization")
        if authorization is None:
            key = self.text(b"x-api-key")
            if key is not None:
                return key
            raise IbexError(
                ErrorCode.MISSING_TOKEN,
                "Send a token: `Authorization: Bearer ibex_pat_…`.",
                param="Authorization",
            )
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer":
            raise IbexError(
                ErrorCode.INVALID_TOKEN, "`Authorization` must be `Bearer <token>`.", param="Authorization"
            )
        return token.strip()

    def agent(self) -> str | None:
        return self._checked(b"x-ibex-agent-id", "X-IBEX-Agent-ID", _AGENT, "an agent's id or slug")

    def session_id(self) -> str | None:
        return self._checked(
            b"x-ibex-session-id",
            "X-IBEX-Session-ID",
            _SESSION_ID,
            "1 to 64 printable ASCII characters, no spaces",
        )

    def user_id(self) -> str | None:
        return self._checked(b"x-ibex-user-id", "X-IBEX-User-ID", _USER_ID, "1 to 256 printable characters")

    def idempotency_key(self) -> str | None:
        return self._checked(
            b"idempotency-key", "Idempotency-Key", _IDEMPOTENCY_KEY, "1 to 256 printable ASCII characters"
        )

    def provider_key(self) -> str | None:
        """A key of the caller's own, which goes to the provider and nowhere else."""
        return self._checked(b"x-ibex-provider-key", "X-IBEX-Provider-Key", PROVIDER_KEY, PROVIDER_KEY_FORM)

    def skips_memory(self) -> bool:
        return self._is_true(b"x-ibex-skip-memory", "X-IBEX-Skip-Memory")

    def skips_learning(self) -> bool:
        return self._is_true(b"x-ibex-skip-extraction", "X-IBEX-Skip-Extraction")

    def directive_override(self) -> str | None:
        """A version of the agent's directive, by its number or its id."""
        return self._checked(
            b"x-ibex-directive-override", "X-IBEX-Directive-Override", _DIRECTIVE, "a number or an id"
        )

    def _is_true(self, name: bytes, shown: str) -> bool:
        return self._checked(name, shown, _TRUE_OR_FALSE, "`true` or `false`") in ("true", "True", "1")

    def _checked(self, name: bytes, shown: str, pattern: re.Pattern[str], form: str) -> str | None:
        value = self.text(name)
        if value is not None and pattern.fullmatch(value) is None:
            raise IbexError(ErrorCode.VALIDATION_ERROR, f"`{shown}` must be {form}.", param=shown)
        return value


def _repeated(sent: Sequence[tuple[bytes, bytes]]) -> str | None:
    names = [name for name, _ in sent]
    return next((shown for name, shown in _GIVEN_ONCE.items() if names.count(name) > 1), None)
