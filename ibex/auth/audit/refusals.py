"""Refusals of callers whose token is known, gathered so that a client which insists fills no table."""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from ibex.auth.audit.event import AuditEvent
from ibex.auth.audit.trail import AuditTrail
from ibex.auth.principal import Principal
from ibex.errors import ErrorCode

# Those by which somebody tries what is not theirs. A caller who forgot to name an agent does not.
_MATTERING = frozenset(
    {
        ErrorCode.TOKEN_REVOKED,
        ErrorCode.TOKEN_EXPIRED,
        ErrorCode.ORGANIZATION_SUSPENDED,
        ErrorCode.USER_SUSPENDED,
        ErrorCode.NETWORK_NOT_ALLOWED,
        ErrorCode.AGENT_NOT_AUTHORIZED,
        ErrorCode.AGENT_SUSPENDED,
        ErrorCode.INSUFFICIENT_PERMISSIONS,
        ErrorCode.ACCESS_DENIED,
        ErrorCode.CALLER_KEY_NOT_ALLOWED,
    }
)
_WINDOW: Final = 60.0
# Tokens and reasons within one window; a few megabytes.
_CAPACITY: Final = 10_000
# Of one organization, lest it keep what others are refused out of their audits.
_SHARE: Final = 1_000

_Key = tuple[UUID, ErrorCode]


@dataclass(slots=True)
class _Gathering:
    """Refusals that no event tells of yet, until the window ends."""

    org_id: UUID
    until: float
    times: int
    address: str | None


class RefusalAudit:
    """The first refusal of a token for a reason is told at once, the rest once a minute, with their number.

    Parameters
    ----------
    dropped: called with the number of refusals that found no room and are lost to the audit.
    clock: seconds that never go backwards.
    """

    def __init__(
        self,
        trail: AuditTrail,
        *,
        dropped: Callable[[int], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._trail = trail
        self._dropped = dropped
        self._clock = clock
        # In the order in which the windows end, because all are of one length.
        self._gathered: dict[_Key, _Gathering] = {}
        self._of_organization: Counter[UUID] = Counter()

    def __len__(self) -> int:
        return len(self._gathered)

    def add(self, principal: Principal, code: ErrorCode, address: str | None) -> None:
        """Take note of a refusal; one that does not matter to an audit is left out."""
        if code not in _MATTERING:
            return
        key = principal.token_id, code
        gathering = self._gathered.get(key)
        if gathering is not None:
            gathering.times += 1
            gathering.address = address
        elif len(self._gathered) >= _CAPACITY or self._of_organization[principal.org_id] >= _SHARE:
            self._dropped(1)
        else:
            self._tell(key, principal.org_id, 1, address)
            self._gathered[key] = _Gathering(principal.org_id, self._clock() + _WINDOW, 0, None)
            self._of_organization[principal.org_id] += 1

    def flush(self) -> None:
        """Tell of the windows that have ended. One that had refusals is followed by another."""
        now = self._clock()
        while self._gathered:
            key, gathering = next(iter(self._gathered.items()))
            if now < gathering.until:
                return
            del self._gathered[key]
            if gathering.times:
                self._tell(key, gathering.org_id, gathering.times, gathering.address)
                self._gathered[key] = _Gathering(gathering.org_id, now + _WINDOW, 0, None)
            else:
                self._of_organization[gathering.org_id] -= 1
                if not self._of_organization[gathering.org_id]:
                    del self._of_organization[gathering.org_id]

    def close(self) -> None:
        """Tell of all that is left."""
        for key, gathering in self._gathered.items():
            if gathering.times:
                self._tell(key, gathering.org_id, gathering.times, gathering.address)
        self._gathered.clear()
        self._of_organization.clear()

    def _tell(self, key: _Key, org_id: UUID, times: int, address: str | None) -> None:
        token_id, code = key
        self._trail.add(
            AuditEvent(
                org_id,
                f"token:{token_id}",
                "request.refuse",
                "refused",
                detail={"code": str(code), "times": times},
                address=address,
            )
        )
