"""Refusals of callers whose token is known, gathered so that a client which insists fills no table."""

from ibex.auth.audit.event import AuditEvent
from ibex.auth.audit.trail import AuditTrail
from ibex.auth.principal import Principal
from ibex.errors import ErrorCode


class RefusalAudit:
    """One event per token, reason and minute."""

    def __init__(self, trail: AuditTrail) -> None:
        self._trail = trail

    def add(self, principal: Principal, code: ErrorCode, address: str | None) -> None:
        self._trail.add(
            AuditEvent(
                principal.org_id,
                f"token:{principal.token_id}",
                "request.refuse",
                "refused",
                detail={"code": str(code)},
                address=address,
            )
        )
