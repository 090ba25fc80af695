"""The record of changes and of refusals that matter. It holds who, what and when; never a secret."""

from ibex.auth.audit.event import AuditEvent, record
from ibex.auth.audit.refusals import RefusalAudit
from ibex.auth.audit.trail import AuditTrail

__all__ = ["AuditEvent", "AuditTrail", "RefusalAudit", "record"]
