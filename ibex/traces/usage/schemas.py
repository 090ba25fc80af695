"""What is asked and shown of usage by day."""

from datetime import date
from typing import Annotated, Self
from uuid import UUID

from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field, JsonValue

from ibex.traces.usage.repository import DayUsage

_NANO = 1_000_000_000
_DAY: dict[str, JsonValue] = {
    "day": "2030-01-31",
    "agent_id": "01a20747-2b1c-7f0e-9d53-3a4c1f2b6e70",
    "model": "gpt-4o-mini",
    "calls": 1240,
    "errors": 3,
    "input_tokens": 1480000,
    "cached_tokens": 1200000,
    "output_tokens": 119000,
    "cost_usd": 0.2034,
}


class UsageQuery(BaseModel):
    """Whose usage is wanted, and of which days."""

    model_config = ConfigDict(extra="forbid")

    agent_id: str | None = Field(
        None, description="Whose, by id or slug; a token that is bound to an agent sees that agent's alone."
    )
    model: str | None = Field(None, min_length=1, max_length=256, description="As it was asked for.")
    since: date | None = Field(None, description="The first day, in UTC; 30 days in all if left out.")
    until: date | None = Field(None, description="The last day, in UTC; today if left out.")


UsageDaysQuery = Annotated[UsageQuery, Query()]


class DayView(BaseModel):
    """What an agent used of one model on one day."""

    day: date = Field(description="In UTC.")
    agent_id: UUID
    model: str
    calls: int
    errors: int = Field(description="Calls that failed, or whose answer broke off.")
    input_tokens: int
    cached_tokens: int
    output_tokens: int
    cost_usd: float = Field(description="Of the calls whose price is known.")

    @classmethod
    def of(cls, usage: DayUsage) -> Self:
        return cls(
            day=usage.day,
            agent_id=usage.agent_id,
            model=usage.model,
            calls=usage.calls,
            errors=usage.errors,
            input_tokens=usage.input_tokens,
            cached_tokens=usage.cached_tokens,
            output_tokens=usage.output_tokens,
            cost_usd=usage.cost_nano_usd / _NANO,
        )


class UsageView(BaseModel):
    """What was used, by day, agent and model."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"days": [_DAY]}]})

    days: list[DayView]
