"""What may be used in a month: counted once, told once for each threshold, refused when it is used up."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio
from hypothesis import given
from hypothesis import strategies as st
from psycopg.rows import tuple_row
from redis.asyncio import Redis

from ibex.auth import (
    AgentPrincipal,
    Allowance,
    HeldOff,
    Limit,
    LimitBook,
    LimitDefaults,
    LimitScope,
    MonthUse,
    Spending,
)
from ibex.auth.changes import Change, ChangeLog
from ibex.auth.limits import repository
from ibex.auth.limits.month import Exhausted, begin, end, first_of_month
from ibex.auth.limits.notice import Notice
from ibex.auth.limits.retention import forget_notices
from ibex.auth.permissions import CHAT, NO_RIGHT
from ibex.errors import ErrorCode, IbexError
from ibex.ids import uuid7
from ibex.storage import Postgres, connect_single
from ibex.traces import Trace, TraceStream
from ibex.traces.packing import pack
from ibex.traces.usage import MonthCount
from tests.faults.waiting import until
from tests.fixtures import Database
from tests.operator import Operator
from tests.service import shipping
from tests.traces.calls import trace

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
THRESHOLDS = (50, 80, 100)


@dataclass(frozen=True, slots=True)
class Office:
    """Two organizations with an agent each, and those who store what they use."""

    database: Database
    operator: Operator
    redis: Redis
    org_id: UUID
    agent_id: UUID
    other_org_id: UUID
    other_agent_id: UUID

    def call(self, **fields: Any) -> Trace:
        usual = {"at": NOON, "input_tokens": 90, "output_tokens": 10, "cost_nano_usd": 1_000_000_000}
        return trace(self.org_id, self.agent_id, **{**usual, **fields})

    def call_of_other(self) -> Trace:
        return trace(self.other_org_id, self.other_agent_id, at=NOON)

    async def ship(self, *traces: Trace, workers: int = 1) -> None:
        """Every trace in an entry of its own, so that all workers have something to do."""
        stream = TraceStream(self.redis, longest=1_000)
        observers = [MonthCount(Spending(ChangeLog(self.redis), THRESHOLDS))]
        async with AsyncExitStack() as running:
            for _ in range(workers):
                await running.enter_async_context(
                    shipping(self.database.service_dsn, self.database.redis_url, observers=observers)
                )
            for each in traces:
                await stream.add(pack([each]), 1)

            async def is_empty() -> bool:
                return not await self.redis.xlen("ibex:traces")

            await until(is_empty)

    async def allow(self, scope: LimitScope, subject: object, *limits: int | None) -> None:
        await self.operator.administration.limits.put(
            self.operator.actor(self.org_id), scope, str(subject), Allowance(None, None, None, *limits)
        )

    async def rows(self, query: Any, org_id: UUID | None = None) -> list[tuple[Any, ...]]:
        return await self.operator.postgres.fetch_all(org_id or self.org_id, query, row=tuple_row)

    async def told(self) -> list[tuple[Any, ...]]:
        """Scope, month, dimension, percentage and use of each event."""
        return await self.rows(
            "SELECT data ->> 'scope', data ->> 'month', data ->> 'dimension', (data ->> 'percent')::int, "
            "(data ->> 'used')::float FROM ibex.outbox WHERE type = 'budget.threshold' ORDER BY 1, 2, 3, 4"
        )

    def principal(self) -> AgentPrincipal:
        return AgentPrincipal(
            org_id=self.org_id,
            token_id=uuid7(),
            permissions=CHAT,
            platform=NO_RIGHT,
            user_id=None,
            agent_id=self.agent_id,
            agent_slug="helper",
            allows_caller_keys=False,
        )


@pytest_asyncio.fixture
async def office(database: Database, operator: Operator) -> AsyncIterator[Office]:
    redis = connect_single(database.redis_url, timeout=5.0)
    org_id, other = await operator.organization(), await operator.organization("other")
    agent, other_agent = await operator.agent(org_id), await operator.agent(other)
    yield Office(database, operator, redis, org_id, agent.id, other, other_agent.id)
    await redis.aclose()


async def test_a_call_counts_once_for_its_agent_and_its_organization(office: Office) -> None:
    told = office.call()
    unasked, unknown = office.call(attempts=0), office.call(output_tokens=None, cost_nano_usd=None)
    await office.ship(told, told, unasked, unknown, office.call_of_other())
    counted = "SELECT scope, subject, month, requests, tokens, cost_nano_usd FROM ibex.usage_months"
    assert await office.rows(counted + " ORDER BY scope") == [
        ("agent", office.agent_id, date(2026, 11, 1), 2, 190, 1_000_000_000),
        ("organization", office.org_id, date(2026, 11, 1), 2, 190, 1_000_000_000),
    ]
    assert len(await office.rows(counted, office.other_org_id)) == 2


async def test_a_month_ends_with_its_last_moment_in_utc(office: Office) -> None:
    last = datetime(2026, 11, 30, 23, 59, 59, 999_999, tzinfo=UTC)
    await office.ship(office.call(at=last), office.call(at=last + timedelta(microseconds=1)))
    months = await office.rows("SELECT month FROM ibex.usage_months WHERE scope = 'agent' ORDER BY 1")
    assert months == [(date(2026, 11, 1),), (date(2026, 12, 1),)]


async def test_each_threshold_is_told_once_in_a_month_whoever_stores_the_calls(office: Office) -> None:
    await office.allow("organization", office.org_id, 10)
    await office.allow("agent", "*", None, None, 4_000_000_000)
    await office.ship(*(office.call() for _ in range(12)), office.call_of_other(), workers=2)
    told = await office.told()
    assert [each[:4] for each in told] == [
        *(("agent", "2026-11", "usd_per_month", percent) for percent in THRESHOLDS),
        *(("organization", "2026-11", "requests_per_month", percent) for percent in THRESHOLDS),
    ]
    # Each was told when it was reached, or a little later when calls were stored together.
    assert all(used >= 10 * percent / 100 for scope, _, _, percent, used in told if scope == "organization")
    assert await office.rows("SELECT FROM ibex.outbox", office.other_org_id) == []
    await office.ship(office.call(), office.call(at=datetime(2026, 12, 1, tzinfo=UTC)))
    assert await office.told() == told
    await office.ship(*(office.call(at=datetime(2026, 12, 2, tzinfo=UTC)) for _ in range(4)))
    later = [each[1:4] for each in await office.told() if each not in told]
    assert ("2026-12", "requests_per_month", 50) in later
    assert ("2026-12", "requests_per_month", 80) not in later


async def test_what_is_used_up_is_known_where_calls_are_admitted(office: Office) -> None:
    heard: list[tuple[Any, ...]] = []
    now = NOON
    postgres = Postgres(office.database.service_dsn, connections=1)
    book = LimitBook(postgres, LimitDefaults(), timeout=5.0, now=lambda: now)
    principal = office.principal()
    await postgres.open()

    async def exhausted() -> Exhausted | None:
        """After everything that was announced was heard."""
        changes = await office.rows("SELECT * FROM ibex.changes_after(0, NULL)")
        if changes != heard:
            heard[:] = changes
            book.forget(Change("limits", office.org_id))
        return (await book.of_call(principal, None)).exhausted

    try:
        await office.allow("agent", office.agent_id, None, 250)
        assert await exhausted() is None
        await office.ship(office.call(), office.call())
        assert await exhausted() is None
        await office.ship(office.call())
        found = await exhausted()
        assert found == Exhausted("agent", "tokens_per_month", 250, datetime(2026, 12, 1, tzinfo=UTC))
        assert (await book.of_request(principal)).exhausted is None
        await office.allow("agent", office.agent_id, None, 1_000)
        assert await exhausted() is None
        await office.allow("organization", office.org_id, None, None, 3_000_000_000)
        assert (await exhausted() or found).scope == "organization"
        now = datetime(2026, 12, 1, tzinfo=UTC)
        book.forget(None)
        assert await exhausted() is None
        await office.allow("organization", office.org_id, 0)
        assert (await exhausted() or found).dimension == "requests_per_month"
    finally:
        await postgres.close()


def test_a_refusal_says_when_the_next_month_begins() -> None:
    found = Exhausted.of(MonthUse(date(2026, 12, 1), "agent", uuid7(), 7), (7, None, None))
    assert found is not None
    with pytest.raises(IbexError) as caught:
        found.refuse(datetime(2026, 12, 31, 23, 59, tzinfo=UTC))
    error = caught.value
    assert (error.code, error.status) == (ErrorCode.QUOTA_EXCEEDED, 429)
    assert "7 requests" in error.message
    assert "2027-01-01T00:00:00Z" in error.message
    assert error.headers["Retry-After"] == "60"
    found.refuse(datetime(2027, 1, 1, tzinfo=UTC))


@given(st.datetimes(timezones=st.just(UTC)).filter(lambda moment: moment.year < 9_999))
def test_every_moment_is_in_one_month(moment: datetime) -> None:
    month = first_of_month(moment)
    assert begin(month) <= moment < end(month)
    assert first_of_month(end(month)) > month


@pytest.mark.parametrize("scope", ["token", "end_user"])
async def test_only_agents_and_organizations_have_months(office: Office, scope: LimitScope) -> None:
    with pytest.raises(IbexError) as caught:
        await office.allow(scope, "*" if scope == "token" else "zoe", 5)
    assert caught.value.code == ErrorCode.VALIDATION_ERROR


async def test_two_who_are_held_off_at_once_are_told_once(office: Office) -> None:
    """By as many processes as there are."""
    times = [NOON]
    dropped: list[int] = []
    postgres = Postgres(office.database.service_dsn, connections=2)
    processes = [HeldOff(postgres, dropped=dropped.append, now=lambda: times[-1]) for _ in range(2)]
    limits = [
        Limit("agent", "requests", str(office.agent_id), 5),
        Limit("agent", "concurrent", str(office.agent_id), 1),
        Limit("organization", "tokens", str(office.org_id), 100),
        Limit("token", "requests", str(uuid7()), 5),
    ]
    await postgres.open()
    try:
        for process in processes:
            process.start()
        for minutes in (0, 59, 60):
            times.append(NOON + timedelta(minutes=minutes))
            for process in processes:
                for limit in limits:
                    process.add(office.org_id, limit)
        await asyncio.gather(*(process.close(within=5.0) for process in processes))
    finally:
        await postgres.close()
    events = await office.rows(
        "SELECT data ->> 'scope', data ->> 'dimension', (data ->> 'limit')::int, at "
        "FROM ibex.outbox WHERE type = 'limit.threshold' ORDER BY 1, 4"
    )
    later = NOON + timedelta(hours=1)
    assert events == [
        ("agent", "requests per minute", 5, NOON),
        ("agent", "requests per minute", 5, later),
        ("organization", "tokens per minute", 100, NOON),
        ("organization", "tokens per minute", 100, later),
    ]
    assert dropped == []


async def test_what_was_told_is_forgotten_when_its_month_is_long_over(office: Office) -> None:
    old, recent = (datetime.now(UTC) - timedelta(days=days) for days in (63, 31))
    for org_id, agent_id in ((office.org_id, office.agent_id), (office.other_org_id, office.other_agent_id)):
        async with office.operator.postgres.transaction(org_id) as connection:
            noted = [Notice(each, "agent", agent_id, "rate", 100) for each in (old, recent)]
            assert len(await repository.note(connection, org_id, noted)) == 2
    for _ in range(2):
        await forget_notices(office.operator.postgres)
        for org_id in (office.org_id, office.other_org_id):
            assert await office.rows("SELECT since FROM ibex.limit_notices", org_id) == [(recent,)]
