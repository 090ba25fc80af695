"""Who may call, as which agent, how often, and what is remembered of it."""

from ibex.auth.actor import Actor
from ibex.auth.administration import Administration
from ibex.auth.agents.repository import Agent
from ibex.auth.audit import AuditEvent, AuditTrail, RefusalAudit
from ibex.auth.bootstrap import CREDENTIALS, Credentials, bootstrap
from ibex.auth.changes import Change, ChangeFeed
from ibex.auth.credentials.cache import OrganizationKeys
from ibex.auth.credentials.key_ring import KeyRing
from ibex.auth.credentials.master_key import MasterKeyError
from ibex.auth.credentials.provider_key import KeyOwner, ProviderKey
from ibex.auth.credentials.repository import Credential
from ibex.auth.credentials.rotation import PROVIDER_KEYS, KeyRotation, SealedStore
from ibex.auth.credentials.start import installation_keys, key_ring, verify_keys
from ibex.auth.limits import (
    EVERYONE,
    Allowance,
    HeldOff,
    Hold,
    Limit,
    LimitBook,
    LimitDefaults,
    LimitScope,
    LimitSet,
    MonthUse,
    Override,
    RateLimiter,
    Spending,
    Verdict,
    first_of_month,
)
from ibex.auth.organizations.erasure import OrganizationErasure
from ibex.auth.organizations.founding import Founded
from ibex.auth.organizations.quota import Quota
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
from ibex.auth.roles import ROLES, Role
from ibex.auth.tokens.repository import TokenRecord
from ibex.auth.tokens.request import TokenRequest
from ibex.auth.tokens.secret import token_id
from ibex.auth.tokens.service import IssuedToken
from ibex.auth.users.repository import User
from ibex.auth.validation import Refused, TokenValidator

__all__ = [
    "ALL",
    "ALL_RIGHTS",
    "CHAT",
    "CREDENTIALS",
    "EVERYONE",
    "EVERYTHING",
    "NO_PERMISSION",
    "NO_RIGHT",
    "PROVIDER_KEYS",
    "ROLES",
    "Actor",
    "Administration",
    "Agent",
    "AgentPrincipal",
    "Allowance",
    "AuditEvent",
    "AuditTrail",
    "Change",
    "ChangeFeed",
    "Credential",
    "Credentials",
    "Founded",
    "Grant",
    "HeldOff",
    "Hold",
    "IssuedToken",
    "KeyOwner",
    "KeyRing",
    "KeyRotation",
    "Limit",
    "LimitBook",
    "LimitDefaults",
    "LimitScope",
    "LimitSet",
    "MasterKeyError",
    "MonthUse",
    "Organization",
    "OrganizationErasure",
    "OrganizationKeys",
    "Override",
    "PepperError",
    "Permission",
    "PlatformRight",
    "Principal",
    "ProviderKey",
    "Quota",
    "RateLimiter",
    "RefusalAudit",
    "Refused",
    "Role",
    "SealedStore",
    "Spending",
    "TokenRecord",
    "TokenRequest",
    "TokenValidator",
    "UnknownPermissionError",
    "User",
    "Verdict",
    "bootstrap",
    "first_of_month",
    "installation_keys",
    "key_ring",
    "load_pepper",
    "parse_grant",
    "permission_labels",
    "token_id",
    "verify_keys",
    "verify_pepper",
]
