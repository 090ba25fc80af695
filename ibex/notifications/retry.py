"""When a delivery that has failed is tried again."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

# The schedule that the Standard Webhooks specification suggests, up to a day and a half after the event.
_DELAYS = (
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=14),
)
# Endpoints that failed together are not all asked again at one moment.
_JITTER = 0.2
# However long an endpoint asks to be left alone.
_LONGEST_WISH = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class RetrySchedule:
    """Waits between attempts, each longer by up to a fifth.

    Parameters
    ----------
    chance: a number from 0 to 1, anew each time.
    """

    delays: tuple[timedelta, ...] = _DELAYS
    chance: Callable[[], float] = random.random

    @property
    def attempts(self) -> int:
        """How many there are, the first one included."""
        return len(self.delays) + 1

    def wait(self, attempts: int, wish: timedelta | None) -> timedelta | None:
        """From the end of attempt number `attempts`, counted from 1, to the next one; None after the last.

        Parameters
        ----------
        wish: how long the endpoint asks to be left alone. It can make the wait longer, up to a day.
        """
        if attempts > len(self.delays):
            return None
        planned = self.delays[attempts - 1] * (1 + _JITTER * self.chance())
        return planned if wish is None else max(planned, min(wish, _LONGEST_WISH))


def retry_after(header: str | None, now: datetime) -> timedelta | None:
    """What a Retry-After header asks for (RFC 9110, section 10.2.3); None when it is not understood."""
    text = (header or "").strip()
    if text.isascii() and text.isdecimal():
        # A number of more digits than these is more than a day.
        return timedelta(seconds=int(text[:9]))
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return max(moment.replace(tzinfo=moment.tzinfo or UTC) - now, timedelta())
