"""What is sent and shown of limits."""

from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from ibex.auth.limits.allowances import Allowance
from ibex.auth.limits.month import MonthUse, end, nano_usd, shown, usd
from ibex.auth.limits.repository import Override
from ibex.auth.limits.scope import Scope
from ibex.auth.limits.service import Effective
from ibex.rest import Body

_ALLOWANCE: dict[str, JsonValue] = {"requests_per_minute": 120, "concurrent_requests": 4}
_EXAMPLE: dict[str, JsonValue] = {"scope": "end_user", "subject": "*", **_ALLOWANCE}

Requests = Annotated[int | None, Field(ge=0, le=1_000_000_000)]
Tokens = Annotated[int | None, Field(ge=0, le=1_000_000_000_000)]
Concurrent = Annotated[int | None, Field(ge=0, le=1_000_000)]
Dollars = Annotated[float | None, Field(ge=0, le=1_000_000_000, allow_inf_nan=False)]
_OF_A_MONTH = "an agent or the organization may use in a calendar month (UTC)"


class NewAllowance(Body):
    """Six limits, of which one at least is given. Absent or null is not overridden; 0 allows nothing."""

    model_config = ConfigDict(json_schema_extra={"examples": [_ALLOWANCE]})

    requests_per_minute: Requests = Field(None, description="Requests in any 60 seconds.")
    tokens_per_minute: Tokens = Field(None, description="Tokens in any 60 seconds, read and written.")
    concurrent_requests: Concurrent = Field(None, description="Requests at a time.")
    requests_per_month: Tokens = Field(None, description=f"Calls that {_OF_A_MONTH}.")
    tokens_per_month: Tokens = Field(None, description=f"Tokens, read and written, that {_OF_A_MONTH}.")
    usd_per_month: Dollars = Field(None, description=f"US dollars that {_OF_A_MONTH}.")

    def allowance(self) -> Allowance:
        return Allowance(
            self.requests_per_minute,
            self.tokens_per_minute,
            self.concurrent_requests,
            self.requests_per_month,
            self.tokens_per_month,
            nano_usd(self.usd_per_month),
        )


class NewLimit(NewAllowance):
    """An override. It takes the place of the one that the subject has."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    scope: Scope
    subject: str = Field(
        description="The id of a token, an agent or the organization, an end user's name, or `*` for every "
        "one in the scope that has no override of its own."
    )


class LimitView(BaseModel):
    """An override; null is not overridden."""

    id: UUID
    scope: Scope
    subject: str
    requests_per_minute: int | None
    tokens_per_minute: int | None
    concurrent_requests: int | None
    requests_per_month: int | None
    tokens_per_month: int | None
    usd_per_month: float | None
    updated_at: datetime

    @classmethod
    def of(cls, override: Override) -> Self:
        return cls(
            id=override.id,
            scope=override.scope,
            subject=override.subject,
            requests_per_minute=override.requests_per_minute,
            tokens_per_minute=override.tokens_per_minute,
            concurrent_requests=override.concurrent_requests,
            requests_per_month=override.requests_per_month,
            tokens_per_month=override.tokens_per_month,
            usd_per_month=usd(override.nano_usd_per_month),
            updated_at=override.updated_at,
        )


class Asked(BaseModel):
    """Whose limits are wanted, besides those of the organization."""

    model_config = ConfigDict(extra="forbid")

    agent_id: UUID | None = Field(None, description="An agent.")
    token_id: UUID | None = Field(None, description="A token.")
    user_id: str | None = Field(None, description="An end user, as in `X-IBEX-User-ID`.")


class UsedView(BaseModel):
    """What was used since the month began."""

    requests: int = Field(description="Calls that a provider was asked for.")
    tokens: int
    usd: float = Field(description="Of the calls whose price is known.")
    resets_at: datetime = Field(description="When the next month begins.")

    @classmethod
    def of(cls, used: MonthUse) -> Self:
        return cls(
            requests=used.requests,
            tokens=used.tokens,
            usd=shown("usd_per_month", used.cost_nano_usd),
            resets_at=end(used.month),
        )


class EffectiveLimit(BaseModel):
    """What applies to one subject; null is not limited."""

    scope: Scope
    subject: str
    requests_per_minute: int | None
    tokens_per_minute: int | None
    concurrent_requests: int | None
    requests_per_month: int | None
    tokens_per_month: int | None
    usd_per_month: float | None
    used: UsedView | None = Field(description="In this month, by an agent or the organization.")

    @classmethod
    def of(cls, effective: Effective) -> Self:
        allowance = effective.allowance
        return cls(
            scope=effective.scope,
            subject=effective.subject,
            requests_per_minute=allowance.requests_per_minute,
            tokens_per_minute=allowance.tokens_per_minute,
            concurrent_requests=allowance.concurrent_requests,
            requests_per_month=allowance.requests_per_month,
            tokens_per_month=allowance.tokens_per_month,
            usd_per_month=usd(allowance.nano_usd_per_month),
            used=None if effective.used is None else UsedView.of(effective.used),
        )


class EffectiveLimits(BaseModel):
    """Everything that a request would be under, narrowest first."""

    limits: list[EffectiveLimit]
