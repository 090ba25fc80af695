"""What is used in a calendar month, in UTC."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from math import ceil
from typing import Final, Literal, Self
from uuid import UUID

from ibex.auth.limits.scope import SCOPE_NAMES, Scope
from ibex.errors import ErrorCode, IbexError

MonthDimension = Literal["requests_per_month", "tokens_per_month", "usd_per_month"]
DIMENSIONS: Final[tuple[MonthDimension, ...]] = ("requests_per_month", "tokens_per_month", "usd_per_month")
_NANO = 1_000_000_000


def first_of_month(moment: datetime) -> date:
    """The month's first day."""
    return moment.astimezone(UTC).date().replace(day=1)


def begin(month: date) -> datetime:
    """The first moment of a month that is named by its first day."""
    return datetime(month.year, month.month, 1, tzinfo=UTC)


def end(month: date) -> datetime:
    """The first moment of the month after it; the end of the calendar has none."""
    years, index = divmod(month.month, 12)
    return datetime(min(month.year + years, 9_999), index + 1, 1, tzinfo=UTC)


def shown(dimension: MonthDimension, amount: int) -> int | float:
    """An amount as people are told it: costs in US dollars."""
    return amount / _NANO if dimension == "usd_per_month" else amount


def nano_usd(dollars: float | None) -> int | None:
    return None if dollars is None else round(dollars * _NANO)


def usd(amount: int | None) -> float | None:
    return None if amount is None else amount / _NANO


@dataclass(frozen=True, slots=True)
class MonthUse:
    """What an agent or an organization has used in a month, which is named by its first day.

    `requests` are those that a provider was asked for.
    """

    month: date
    scope: Scope
    subject: UUID
    requests: int = 0
    tokens: int = 0
    cost_nano_usd: int = 0

    @property
    def amounts(self) -> tuple[int, int, int]:
        """In the order of `DIMENSIONS`."""
        return self.requests, self.tokens, self.cost_nano_usd

    def reached(
        self, allowed: Sequence[int | None], thresholds: Sequence[int]
    ) -> list[tuple[MonthDimension, int, int, int]]:
        """Of what is limited: the dimension, the percentage that is reached, what was used and the most."""
        return [
            (dimension, percent, used, most)
            for dimension, used, most in zip(DIMENSIONS, self.amounts, allowed, strict=True)
            if most
            for percent in thresholds
            if used * 100 >= most * percent
        ]

    def exhausts(self, allowed: Sequence[int | None], before: Sequence[int]) -> bool:
        """Whether this is the use that has exhausted something; `before` are the amounts before it."""
        return any(
            most is not None and was < most <= used
            for was, used, most in zip(before, self.amounts, allowed, strict=True)
        )


@dataclass(frozen=True, slots=True)
class Exhausted:
    """Nothing is left of what was allowed for a month, up to `until`."""

    scope: Scope
    dimension: MonthDimension
    most: int
    until: datetime

    @classmethod
    def of(cls, used: MonthUse, allowed: Sequence[int | None]) -> Self | None:
        """None as long as there is something left of everything."""
        for dimension, amount, most in zip(DIMENSIONS, used.amounts, allowed, strict=True):
            if most is not None and amount >= most:
                return cls(used.scope, dimension, most, end(used.month))
        return None

    def refuse(self, now: datetime) -> None:
        """Raises QUOTA_EXCEEDED, unless the month is over."""
        if now >= self.until:
            return
        most = shown(self.dimension, self.most)
        amount = {
            "requests_per_month": f"{most} requests",
            "tokens_per_month": f"{most} tokens",
            "usd_per_month": f"{most:g} US dollars",
        }[self.dimension]
        raise IbexError(
            ErrorCode.QUOTA_EXCEEDED,
            f"This {SCOPE_NAMES[self.scope]} has used up its quota of {amount} for this month. "
            f"The next one begins at {self.until:%Y-%m-%dT%H:%M:%SZ}.",
            detail=f"quota: {self.scope} {self.dimension}",
            # The official clients would try again by themselves.
            headers={"Retry-After": str(ceil((self.until - now).total_seconds())), "X-Should-Retry": "false"},
        )
