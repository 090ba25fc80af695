"""Events are chained by the database, whoever writes them and however many at once."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg import errors

from ibex.auth import Actor, AuditEvent, AuditTrail
from ibex.auth.audit import Head, record
from ibex.ids import uuid7
from ibex.storage import Postgres
from tests.auth.audit.chains import Chain
from tests.fixtures import Database
from tests.operator import Operator

_WRITERS = 64
_STATEMENT = """
    INSERT INTO ibex.audit_events (org_id, id, actor, action, outcome, detail)
    VALUES (%s, %s, 'cli', 'agent.pause', 'success', %s)
"""


async def test_sixty_four_writers_leave_one_chain_without_a_gap(chain: Chain, database: Database) -> None:
    postgres = Postgres(database.service_dsn, connections=_WRITERS)
    await postgres.open()

    async def write(writer: int) -> None:
        for number in range(5):
            async with postgres.transaction(chain.org_id) as connection:
                actor = Actor.local(chain.org_id, f"writer-{writer}")
                await record(connection, AuditEvent.of(actor, "agent.pause", number))

    await asyncio.gather(*(write(writer) for writer in range(_WRITERS)))
    await postgres.close()
    verdict = await chain.audit.verify(chain.org_id)
    assert (verdict.count, verdict.damage) == (2 + 5 * _WRITERS, None)


async def test_writers_that_start_a_chain_together_start_one(chain: Chain, database: Database) -> None:
    """An organization that has none yet, as one from before there were chains."""
    with chain.tampering() as connection:
        connection.execute("DELETE FROM ibex.audit_events")
        connection.execute("DELETE FROM ibex.audit_chains")
    assert await chain.audit.head(chain.org_id) == Head.before_the_first(str(chain.org_id))
    assert await chain.broken_at() is None
    postgres = Postgres(database.service_dsn, connections=8)
    await postgres.open()

    async def write() -> None:
        async with postgres.transaction(chain.org_id) as connection:
            await record(connection, AuditEvent(chain.org_id, "cli", "agent.pause", "success"))

    await asyncio.gather(*(write() for _ in range(8)))
    await postgres.close()
    verdict = await chain.audit.verify(chain.org_id)
    assert (verdict.count, verdict.damage) == (8, None)


async def test_organizations_have_chains_of_their_own(chain: Chain, operator: Operator) -> None:
    other = await operator.organization("globex")
    await chain.write(3)
    for org_id, count in ((chain.org_id, 5), (other, 2)):
        verdict = await chain.audit.verify(org_id)
        assert (verdict.count, verdict.damage) == (count, None)


async def test_a_transaction_that_is_rolled_back_leaves_no_gap(chain: Chain) -> None:
    async with chain.operator.postgres.transaction(chain.org_id) as connection:
        await record(connection, AuditEvent(chain.org_id, "cli", "agent.pause", "success"))
        raise psycopg.Rollback
    await chain.write(1)
    verdict = await chain.audit.verify(chain.org_id)
    assert (verdict.count, verdict.damage) == (3, None)


async def test_an_event_that_is_tried_again_is_stored_once(chain: Chain) -> None:
    event = AuditEvent(chain.org_id, "cli", "agent.pause", "success", detail={"slug": "a"}, address="::1")
    for _ in range(3):
        async with chain.operator.postgres.transaction(chain.org_id) as connection:
            await record(connection, event)
    async with chain.operator.postgres.transaction(chain.org_id) as connection:
        await record(connection, event, event)
    verdict = await chain.audit.verify(chain.org_id)
    assert (verdict.count, verdict.damage) == (3, None)


async def test_two_processes_that_try_the_same_event_store_it_once(chain: Chain, database: Database) -> None:
    """The second waits for the first at the chain, and then finds the event there."""
    event = AuditEvent(chain.org_id, "cli", "agent.pause", "success")
    async with chain.operator.postgres.transaction(chain.org_id) as first:
        await record(first, event)

        async def again() -> None:
            async with chain.operator.postgres.transaction(chain.org_id) as second:
                await record(second, event)

        waiting = asyncio.create_task(again())
        await _until_somebody_waits(database)
    await waiting
    verdict = await chain.audit.verify(chain.org_id)
    assert (verdict.count, verdict.damage) == (3, None)


async def test_another_event_under_an_id_that_is_taken_does_not_vanish(chain: Chain) -> None:
    event_id = uuid7()
    for action in ("agent.pause", "agent.resume"):
        event = AuditEvent(chain.org_id, "cli", action, "success", id=event_id)
        if action == "agent.resume":
            with pytest.raises(errors.UniqueViolation, match="another event has the id"):
                await _write(chain, event)
        else:
            await _write(chain, event)
    assert await chain.broken_at() is None


async def test_changes_that_touch_the_same_rows_wait_for_each_other_without_a_deadlock(
    chain: Chain, database: Database
) -> None:
    """Rows first, then the audit: whoever has the chain waits for nobody."""
    postgres = Postgres(database.service_dsn, connections=16)
    await postgres.open()

    async def change(number: int) -> None:
        async with postgres.transaction(chain.org_id) as connection:
            table = ("agents", "organizations")[number % 2]
            await connection.execute(f"UPDATE ibex.{table} SET name = name".encode())
            await record(connection, AuditEvent(chain.org_id, "cli", "agent.pause", "success"))

    await asyncio.gather(*(change(number) for number in range(64)))
    await postgres.close()
    verdict = await chain.audit.verify(chain.org_id)
    assert (verdict.count, verdict.damage) == (2 + 64, None)


async def test_who_inserts_decides_neither_place_nor_time(chain: Chain) -> None:
    """Not even the owner of the schema, who may name these columns."""
    forged = "0" * 64
    with psycopg.connect(chain.database.owner_dsn) as connection:
        connection.execute("SELECT set_config('app.current_org_id', %s, false)", (str(chain.org_id),))
        connection.execute(
            """
            INSERT INTO ibex.audit_events
                (org_id, id, actor, action, outcome, at, number, previous_hash, hash)
            VALUES (%s, %s, 'cli', 'agent.pause', 'success', '1999-01-01', 1, decode(%s, 'hex'), ''::bytea)
            """,
            (chain.org_id, uuid7(), forged),
        )
        row = connection.execute(
            "SELECT number, at > now() - interval '1 minute', encode(previous_hash, 'hex') "
            "FROM ibex.audit_events ORDER BY number DESC LIMIT 1"
        ).fetchone()
    assert row is not None
    assert row[:2] == (3, True)
    assert row[2] != forged
    assert await chain.broken_at() is None


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE ibex.audit_chains SET number = 0",
        "DELETE FROM ibex.audit_chains",
        "INSERT INTO ibex.audit_chains VALUES (gen_random_uuid(), 0, ''::bytea)",
        "UPDATE ibex.audit_events SET actor = 'nobody'",
        "DELETE FROM ibex.audit_events",
        "TRUNCATE ibex.audit_events",
        *(
            f"""
            INSERT INTO ibex.audit_events (org_id, id, actor, action, outcome, {column})
            SELECT org_id, gen_random_uuid(), 'x', 'x', 'success', {column} FROM ibex.audit_events
            """
            for column in ("at", "number", "previous_hash", "hash")
        ),
        "ALTER TABLE ibex.audit_events DISABLE TRIGGER chain",
        "SET session_replication_role = replica",
        """
        INSERT INTO ibex.audit_events (org_id, id, actor, action, outcome)
        SELECT org_id, id, 'x', 'x', 'success' FROM ibex.audit_events
        ON CONFLICT (org_id, id) DO UPDATE SET actor = 'nobody'
        """,
    ],
)
async def test_the_service_cannot_rewrite_a_chain(chain: Chain, statement: str) -> None:
    with psycopg.connect(chain.database.service_dsn) as connection:
        connection.execute("SELECT set_config('app.current_org_id', %s, false)", (str(chain.org_id),))
        with pytest.raises(errors.InsufficientPrivilege):
            connection.execute(statement.encode())
    assert await chain.broken_at() is None


async def test_the_owner_cannot_rewrite_it_without_taking_the_guard_away(chain: Chain) -> None:
    with psycopg.connect(chain.database.owner_dsn) as connection:
        connection.execute("SELECT set_config('app.current_org_id', %s, false)", (str(chain.org_id),))
        with pytest.raises(errors.RestrictViolation, match="append-only"):
            connection.execute("UPDATE ibex.audit_events SET actor = 'nobody'")


@pytest.mark.parametrize("detail", ["[]", "1", "", "{", '{"a": 1, "a": 2}'])
async def test_a_detail_is_one_object_that_everybody_reads_alike(chain: Chain, detail: str) -> None:
    with psycopg.connect(chain.database.service_dsn) as connection:
        connection.execute("SELECT set_config('app.current_org_id', %s, false)", (str(chain.org_id),))
        with pytest.raises(errors.CheckViolation):
            connection.execute(_STATEMENT, (chain.org_id, uuid7(), detail))


@pytest.mark.parametrize(
    "text", ["Zoë 🤖", "'; DROP TABLE ibex.agents; --", "%s", "a,b:c", "-", '"\\', "x\ny"]
)
async def test_any_text_is_chained_as_it_is(chain: Chain, text: str) -> None:
    await _write(chain, AuditEvent(chain.org_id, text, "agent.pause", "success", text, {"name": text}))
    (event,) = await chain.newest(1)
    assert (event.actor, event.target) == (text, text)
    assert await chain.broken_at() is None


@pytest.mark.parametrize("text", ["a\0b", "\ud800", "x" * 100_000])
async def test_what_cannot_be_stored_makes_no_cause_fail(chain: Chain, text: str) -> None:
    await _write(chain, AuditEvent(chain.org_id, text, text, "success", text, {"name": text, text: 1}))
    (event,) = await chain.newest(1)
    assert "\0" not in event.actor
    assert len(event.detail) < 5_000
    assert await chain.broken_at() is None


@pytest.mark.parametrize(
    ("address", "kept"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("2001:DB8::1", "2001:db8::1"),
        ("::ffff:203.0.113.7", "::ffff:203.0.113.7"),
        ("fe80::1%eth0", "fe80::1"),
        ("unknown", None),
        ("203.0.113.7:443", None),
        ("", None),
        ("\0", None),
        (None, None),
    ],
)
async def test_what_a_proxy_says_instead_of_an_address_makes_no_cause_fail(
    chain: Chain, address: str | None, kept: str | None
) -> None:
    await _write(chain, AuditEvent(chain.org_id, "cli", "agent.pause", "success", address=address))
    (event,) = await chain.newest(1)
    assert event.address == kept
    assert await chain.broken_at() is None


async def test_the_time_is_that_of_the_server(chain: Chain, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process whose clock is off writes ids that are off, and no times and no places that are."""
    before = datetime.now(UTC)
    monkeypatch.setattr("time.time_ns", lambda: 0)
    await chain.write(1)
    monkeypatch.undo()
    (event,) = await chain.newest(1)
    assert UUID(event.id).int >> 80 == 0
    assert before - timedelta(minutes=1) < datetime.fromisoformat(event.at) < before + timedelta(minutes=1)
    assert event.number == 3
    assert await chain.broken_at() is None


async def test_events_without_a_transaction_are_chained_too(chain: Chain, operator: Operator) -> None:
    other = await operator.organization("globex")
    lost: list[int] = []
    trail = AuditTrail(operator.postgres, dropped=lost.append)
    for org_id in (chain.org_id, other) * 100:
        trail.add(AuditEvent(org_id, "system", "limits.fallback", "degraded"))
    trail.start()
    await trail.close(within=10.0)
    for org_id in (chain.org_id, other):
        verdict = await chain.audit.verify(org_id)
        assert (verdict.count, verdict.damage) == (102, None)
    assert lost == []


async def test_one_event_that_is_refused_takes_no_other_with_it(chain: Chain, operator: Operator) -> None:
    """An organization that has been erased has no audit any more."""
    lost: list[int] = []
    trail = AuditTrail(operator.postgres, dropped=lost.append)
    for org_id in (chain.org_id, uuid7(), chain.org_id):
        trail.add(AuditEvent(org_id, "system", "limits.fallback", "degraded"))
    trail.start()
    await trail.close(within=10.0)
    verdict = await chain.audit.verify(chain.org_id)
    assert (verdict.count, verdict.damage) == (4, None)
    assert lost == [1]


async def test_an_event_costs_no_more_in_a_long_chain_than_in_a_short_one(chain: Chain) -> None:
    """Also in a session whose plans were made while the chain was short: no walk through all of it."""
    values = f"'{chain.org_id}', gen_random_uuid(), 'cli', 'agent.pause', 'success'"
    insert = f"INSERT INTO ibex.audit_events (org_id, id, actor, action, outcome) SELECT {values}"
    with psycopg.connect(chain.database.service_dsn, autocommit=True) as connection:
        connection.execute("SELECT set_config('app.current_org_id', %s, false)", (str(chain.org_id),))

        def pages_of_one() -> int:
            plan: Any = connection.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {insert}".encode())
            (top,) = plan.fetchone()[0]
            return int(top["Plan"]["Shared Hit Blocks"])

        short = [pages_of_one() for _ in range(10)]
        connection.execute(f"{insert} FROM generate_series(1, 5000)".encode())
        assert pages_of_one() < 2 * max(short)


async def _write(chain: Chain, event: AuditEvent) -> None:
    async with chain.operator.postgres.transaction(chain.org_id) as connection:
        await record(connection, event)


async def _until_somebody_waits(database: Database) -> None:
    async with await psycopg.AsyncConnection.connect(database.superuser_dsn, autocommit=True) as watching:
        while True:
            waiting: Any = await (
                await watching.execute(
                    "SELECT count(*) FROM pg_stat_activity "
                    "WHERE datname = current_database() AND wait_event_type = 'Lock'"
                )
            ).fetchone()
            if waiting[0]:
                return
