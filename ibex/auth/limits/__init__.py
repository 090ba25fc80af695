"""How much a caller may ask."""

from ibex.auth.limits.allowances import EVERYONE, Allowance, LimitDefaults
from ibex.auth.limits.book import LimitBook
from ibex.auth.limits.held_off import HeldOff
from ibex.auth.limits.hold import Hold
from ibex.auth.limits.limit import Limit, LimitSet
from ibex.auth.limits.limiter import RateLimiter
from ibex.auth.limits.month import MonthUse, first_of_month
from ibex.auth.limits.repository import Override
from ibex.auth.limits.scope import Scope as LimitScope
from ibex.auth.limits.spending import Spending
from ibex.auth.limits.verdict import Verdict

__all__ = [
    "EVERYONE",
    "Allowance",
    "HeldOff",
    "Hold",
    "Limit",
    "LimitBook",
    "LimitDefaults",
    "LimitScope",
    "LimitSet",
    "MonthUse",
    "Override",
    "RateLimiter",
    "Spending",
    "Verdict",
    "first_of_month",
]
