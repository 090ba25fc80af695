"""When to ask a provider again."""

import random
from collections.abc import Callable
from dataclasses import dataclass

from ibex.settings import RetrySettings


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Exponential backoff with full jitter, overruled by the provider's own Retry-After.

    Parameters
    ----------
    attempts: retries after the first try.
    backoff: upper bound of the first wait, in seconds; doubles each time.
    longest_wait: seconds; a provider that asks for more is not waited for.
    """

    attempts: int
    backoff: float
    longest_wait: float
    jitter: Callable[[], float] = random.random

    @classmethod
    def of(cls, settings: RetrySettings) -> "RetryPolicy":
        return cls(settings.attempts, settings.backoff, settings.longest_wait)

    def delay(self, retry: int, retry_after: float | None) -> float | None:
        """Seconds to wait before retry number `retry` (from 0), or None when there is to be none."""
        if retry >= self.attempts:
            return None
        if retry_after is not None:
            return retry_after if retry_after <= self.longest_wait else None
        return float(min(self.backoff * 2**retry, self.longest_wait)) * self.jitter()
