"""How much a caller may ask."""

from ibex.auth.limits.limiter import RateLimiter
from ibex.auth.limits.verdict import RateLimit, RateLimits, Verdict

__all__ = ["RateLimit", "RateLimiter", "RateLimits", "Verdict"]
