"""Counts the calls of a month, as they are stored."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import date
from typing import Any
from uuid import UUID

import psycopg

from ibex.auth import LimitScope, MonthUse, Spending, first_of_month
from ibex.traces.trace import Trace

_Subject = tuple[date, LimitScope, UUID]


class MonthCount:
    """Takes calls that are stored for the first time; each counts for its agent and for its organization."""

    def __init__(self, spending: Spending) -> None:
        self._spending = spending

    async def observe(
        self, connection: psycopg.AsyncConnection[Any], org_id: UUID, traces: Sequence[Trace]
    ) -> None:
        """In the transaction that stores them, so that they are counted together or not at all."""
        await self._spending.add(connection, org_id, uses_of(org_id, traces))


def uses_of(org_id: UUID, traces: Sequence[Trace]) -> list[MonthUse]:
    """What calls come to, by month, agent and organization. One that no provider was asked for is none."""
    calls: dict[_Subject, list[Trace]] = defaultdict(list)
    for trace in traces:
        if trace.attempts:
            month = first_of_month(trace.at)
            calls[month, "agent", trace.agent_id].append(trace)
            calls[month, "organization", org_id].append(trace)
    return [
        MonthUse(
            month,
            scope,
            subject,
            requests=len(told),
            tokens=sum((trace.input_tokens or 0) + (trace.output_tokens or 0) for trace in told),
            cost_nano_usd=sum(trace.cost_nano_usd or 0 for trace in told),
        )
        for (month, scope, subject), told in calls.items()
    ]
