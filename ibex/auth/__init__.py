"""Who may call, as which agent, how often, and what is remembered of it."""

from ibex.auth.access import Access
from ibex.auth.actor import Actor
from ibex.auth.administration import Administration
from ibex.auth.agents.repository import Agent
from ibex.auth.audit import AuditEvent, AuditTrail, RefusalAudit
from ibex.auth.bootstrap import CREDENTIALS, Credentials, bootstrap
from ibex.auth.changes import Change, ChangeFeed
from ibex.auth.limits import RateLimiter, RateLimits, Verdict
from ibex.auth.organizations.repository import Organization
from ibex.auth.pepper import PepperError, load_pepper, verify_pepper
from ibex.auth.permissions import (
    ALL,
    ALL_RIGHTS,
    CHAT,
    EVERYTHING,
    NO_PERMISSION,
    NO_RIGHT,
    Grant,
    Permission,
    PlatformRight,
    UnknownPermissionError,
    parse_grant,
    permission_labels,
)
from ibex.auth.principal import AgentPrincipal, Principal
from ibex.auth.tokens.repository import TokenRecord
from ibex.auth.tokens.secret import token_id
from ibex.auth.tokens.service import IssuedToken, TokenRequest
from ibex.auth.validation import Refused, TokenValidator

__all__ = [
    "ALL",
    "ALL_RIGHTS",
    "CHAT",
    "CREDENTIALS",
    "EVERYTHING",
    "NO_PERMISSION",
    "NO_RIGHT",
    "Access",
    "Actor",
    "Administration",
    "Agent",
    "AgentPrincipal",
    "AuditEvent",
    "AuditTrail",
    "Change",
    "ChangeFeed",
    "Credentials",
    "Grant",
    "IssuedToken",
    "Organization",
    "PepperError",
    "Permission",
    "PlatformRight",
    "Principal",
    "RateLimiter",
    "RateLimits",
    "RefusalAudit",
    "Refused",
    "TokenRecord",
    "TokenRequest",
    "TokenValidator",
    "UnknownPermissionError",
    "Verdict",
    "bootstrap",
    "load_pepper",
    "parse_grant",
    "permission_labels",
    "token_id",
    "verify_pepper",
]
