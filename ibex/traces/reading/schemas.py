"""What can be asked of traces."""

from datetime import UTC, datetime
from typing import Annotated, Literal, Self
from uuid import UUID

from fastapi import Query
from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from ibex.traces.store import Bucket, Selection

# What every engine can compare a time with.
_EARLIEST, _LATEST = datetime(1970, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)


def _comparable(moment: datetime) -> datetime:
    if not _EARLIEST <= moment <= _LATEST:
        raise ValueError("must be between 1970 and 2200")
    return moment.astimezone(UTC)


_Moment = Annotated[AwareDatetime, AfterValidator(_comparable)]
_Text = Annotated[str | None, Field(min_length=1, max_length=256)]


class TraceQuery(BaseModel):
    """Which traces are meant."""

    model_config = ConfigDict(extra="forbid")

    agent_id: str | None = Field(
        None, description="Whose, by id or slug; a token that is bound to an agent sees that agent's alone."
    )
    session_id: _Text = Field(None, description="Of one conversation.")
    user_id: _Text = Field(None, description="About one end user.")
    model: _Text = Field(None, description="As it was asked for.")
    provider: _Text = Field(None, description="The one that answered, or was asked last.")
    outcome: Literal["ok", "client_gone", "failed", "broken", "cancelled"] | None = Field(
        None, description="How it ended."
    )
    status: Literal["2xx", "3xx", "4xx", "5xx"] | None = Field(None, description="What was answered.")
    error_code: _Text = Field(None, description="Such as `PROVIDER_TIMEOUT`.")
    rung: _Text = Field(None, description="How much of its context the call got, such as `complete`.")
    since: _Moment | None = Field(None, description="From then on; figures are of the last day else.")
    until: _Moment | None = Field(None, description="Before then.")
    min_latency_ms: float | None = Field(
        None,
        ge=0,
        le=1e9,
        allow_inf_nan=False,
        description="The least time that the whole call took, in milliseconds.",
    )

    @model_validator(mode="after")
    def _time_goes_on(self) -> Self:
        if self.since is not None and self.until is not None and self.since >= self.until:
            raise ValueError("`since` must be before `until`")
        return self

    def selection(self, agent_id: UUID | None) -> Selection:
        return Selection(
            agent_id=agent_id,
            session_id=self.session_id,
            user_id=self.user_id,
            model=self.model,
            provider=self.provider,
            outcome=self.outcome,
            statuses=None if self.status is None else int(self.status[0]),
            error_code=self.error_code,
            rung=self.rung,
            since=self.since,
            until=self.until,
            least_ms=self.min_latency_ms,
        )


class TraceList(TraceQuery):
    """Which traces are meant, and which part of their list is wanted."""

    cursor: str | None = Field(None, description="`pagination.next_cursor` of the page before.")
    limit: int = Field(50, ge=1, le=200, description="Most resources in one answer.")


class OverviewQuery(TraceQuery):
    """Which traces are meant, and how they are divided."""

    bucket: Bucket | None = Field(
        None, description="How wide a span is; what fits the time that is asked about if left out."
    )


class ExportQuery(TraceQuery):
    """Which traces are meant, and in which form they are wanted."""

    format: Literal["csv", "jsonl"] = Field(
        "jsonl", description="A table with a head, or objects, one a line."
    )


TracesQuery = Annotated[TraceQuery, Query()]
TraceListQuery = Annotated[TraceList, Query()]
TraceOverviewQuery = Annotated[OverviewQuery, Query()]
TraceExportQuery = Annotated[ExportQuery, Query()]
