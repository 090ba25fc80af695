"""The record of changes and of refusals that matter. It holds who, what and when; never a secret."""

from ibex.auth.audit.chain import Head, MalformedHeadError, StoredEvent, Verdict
from ibex.auth.audit.event import AuditEvent, record, record_across
from ibex.auth.audit.lines import MalformedLineError, verify_lines
from ibex.auth.audit.refusals import RefusalAudit
from ibex.auth.audit.repository import Selection
from ibex.auth.audit.service import AuditService
from ibex.auth.audit.trail import AuditTrail

__all__ = [
    "AuditEvent",
    "AuditService",
    "AuditTrail",
    "Head",
    "MalformedHeadError",
    "MalformedLineError",
    "RefusalAudit",
    "Selection",
    "StoredEvent",
    "Verdict",
    "record",
    "record_across",
    "verify_lines",
]
