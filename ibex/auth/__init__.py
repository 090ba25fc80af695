"""Who may call, as which agent, how often, and what is remembered of it."""

from ibex.auth.administration import Administration, NotAnnouncedError
from ibex.auth.audit import AuditEvent, AuditTrail
from ibex.auth.bootstrap import CREDENTIALS, Credentials, bootstrap
from ibex.auth.invalidation import ChangeFeed
from ibex.auth.limits import RateLimiter, RateLimits, Verdict
from ibex.auth.pepper import PepperError, load_pepper, verify_pepper
from ibex.auth.permissions import (
    ALL,
    CHAT,
    NO_PERMISSION,
    Permission,
    UnknownPermissionError,
    parse_permissions,
    permission_labels,
)
from ibex.auth.principal import Principal
from ibex.auth.repository import Agent, Organization, TokenRecord
from ibex.auth.tokens import token_id
from ibex.auth.validation import TokenValidator

__all__ = [
    "ALL",
    "CHAT",
    "CREDENTIALS",
    "NO_PERMISSION",
    "Administration",
    "Agent",
    "AuditEvent",
    "AuditTrail",
    "ChangeFeed",
    "Credentials",
    "NotAnnouncedError",
    "Organization",
    "PepperError",
    "Permission",
    "Principal",
    "RateLimiter",
    "RateLimits",
    "TokenRecord",
    "TokenValidator",
    "UnknownPermissionError",
    "Verdict",
    "bootstrap",
    "load_pepper",
    "parse_permissions",
    "permission_labels",
    "token_id",
    "verify_pepper",
]
