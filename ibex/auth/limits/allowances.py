"""How much everybody in an organization is allowed: overrides, and defaults where there are none."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import date
from typing import Self
from uuid import UUID

from ibex.auth.limits.month import Exhausted, MonthUse
from ibex.auth.limits.scope import Scope
from ibex.settings import LimitSettings

# Stands for everyone in a scope that has no override of its own.
EVERYONE = "*"


@dataclass(frozen=True, slots=True)
class Allowance:
    """What one token, agent, end user or organization is allowed. None is not limited here; 0 is nothing.

    Only agents and organizations have allowances of a month. `nano_usd_per_month` is in 1e-9 US dollars.
    """

    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    concurrent_requests: int | None = None
    requests_per_month: int | None = None
    tokens_per_month: int | None = None
    nano_usd_per_month: int | None = None

    @property
    def holds_for_a_month(self) -> bool:
        return self.monthly != (None, None, None)

    @property
    def monthly(self) -> tuple[int | None, int | None, int | None]:
        """Requests, tokens and 1e-9 US dollars of a month, as `MonthUse.amounts` has them."""
        return self.requests_per_month, self.tokens_per_month, self.nano_usd_per_month

    def or_else(self, other: "Allowance") -> "Allowance":
        """This, and where it says nothing, the other."""
        names = (each.name for each in fields(self))
        return Allowance(**{name: _first(getattr(self, name), getattr(other, name)) for name in names})


NOTHING_SAID = Allowance()


@dataclass(frozen=True, slots=True)
class LimitDefaults:
    """What holds for everybody in the installation who has no override."""

    token: Allowance = NOTHING_SAID
    agent: Allowance = NOTHING_SAID
    end_user: Allowance = NOTHING_SAID
    organization: Allowance = NOTHING_SAID

    @classmethod
    def of(cls, settings: LimitSettings) -> Self:
        return cls(
            token=Allowance(settings.token_rpm, settings.token_tpm, settings.token_concurrent),
            agent=Allowance(settings.agent_rpm, settings.agent_tpm, settings.agent_concurrent),
            end_user=Allowance(settings.user_rpm, settings.user_tpm, settings.user_concurrent),
            organization=Allowance(
                settings.organization_rpm, settings.organization_tpm, settings.organization_concurrent
            ),
        )

    def in_scope(self, scope: Scope) -> Allowance:
        allowance: Allowance = getattr(self, scope)
        return allowance


@dataclass(frozen=True, slots=True)
class Allowances:
    """The defaults and one organization's overrides, by scope and subject.

    `used` is what was used in `month`, where that is limited; `month` is its first day. `limits_end_users` is
    whether any end user is limited at all.
    """

    defaults: LimitDefaults
    overrides: Mapping[tuple[Scope, str], Allowance] = field(default_factory=dict)
    month: date = date.min
    used: Mapping[tuple[Scope, str], MonthUse] = field(default_factory=dict)
    limits_end_users: bool = field(init=False)

    def __post_init__(self) -> None:
        are_overridden = any(scope == "end_user" for scope, _ in self.overrides)
        limits_end_users = are_overridden or self.defaults.end_user != NOTHING_SAID
        object.__setattr__(self, "limits_end_users", limits_end_users)

    def of(self, scope: Scope, subject: str) -> Allowance:
        """The subject's own, then that of everyone, then the default; each of the three limits by itself."""
        own = self.overrides.get((scope, subject), NOTHING_SAID)
        everyone = self.overrides.get((scope, EVERYONE), NOTHING_SAID)
        return own.or_else(everyone).or_else(self.defaults.in_scope(scope))

    def exhausted(self, scope: Scope, subject: UUID) -> Exhausted | None:
        """What of the month is used up."""
        allowance = self.of(scope, str(subject))
        if not allowance.holds_for_a_month:
            return None
        used = self.used.get((scope, str(subject))) or MonthUse(self.month, scope, subject)
        return Exhausted.of(used, allowance.monthly)


def _first(mine: int | None, other: int | None) -> int | None:
    return other if mine is None else mine
