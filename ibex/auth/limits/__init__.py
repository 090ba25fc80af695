"""How much a caller may ask."""

from ibex.auth.limits.allowances import EVERYONE, Allowance, LimitDefaults
from ibex.auth.limits.book import LimitBook
from ibex.auth.limits.hold import Hold
from ibex.auth.limits.limit import Limit, LimitSet
from ibex.auth.limits.limit import Scope as LimitScope
from ibex.auth.limits.limiter import RateLimiter
from ibex.auth.limits.repository import Override
from ibex.auth.limits.verdict import Verdict

__all__ = [
    "EVERYONE",
    "Allowance",
    "Hold",
    "Limit",
    "LimitBook",
    "LimitDefaults",
    "LimitScope",
    "LimitSet",
    "Override",
    "RateLimiter",
    "Verdict",
]
