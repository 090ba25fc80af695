"""Events from before there was a chain become its beginning."""

import itertools
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import psycopg
import pytest
from alembic import command
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.types.json import Jsonb

from ibex.auth import Actor, AuditEvent
from ibex.auth.audit import AuditService, Selection, record, verify_lines
from ibex.ids import uuid7
from ibex.storage import Postgres, migrations
from ibex.storage.migrations import migrate
from tests.fixtures import Servers

_numbers = itertools.count(1)
_DETAILS: list[dict[str, Any]] = [
    {},
    {"slug": "a"},
    {"zz": "last", "a": "first", "é": 'quoted " and \\ and \n', "aa": 7},
    {"nested": {"b": [1, 2.50, None], "a": True}},
]


@pytest.fixture
def older(servers: Servers, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The owner's address of a database at the first revision."""
    name = f"older_{next(_numbers)}"
    admin = servers.postgres.superuser_dsn
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {} OWNER ibex_owner").format(sql.Identifier(name)))
        connection.execute(
            sql.SQL("GRANT CONNECT ON DATABASE {} TO ibex_service").format(sql.Identifier(name))
        )
    dsn = make_conninfo(servers.postgres.owner_dsn, dbname=name)
    upgrade = command.upgrade
    with monkeypatch.context() as first_only:
        first_only.setattr(command, "upgrade", lambda config, _: upgrade(config, "0001"))
        migrate(dsn)
    assert migrations.current(dsn) == "0001"
    yield dsn
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@asynccontextmanager
async def _serving(servers: Servers, dsn: str) -> AsyncIterator[Postgres]:
    """The same database, as the service has it."""
    postgres = Postgres(
        make_conninfo(servers.postgres.service_dsn, dbname=conninfo_to_dict(dsn)["dbname"]), connections=1
    )
    await postgres.open()
    try:
        yield postgres
    finally:
        await postgres.close()


async def test_old_events_are_chained_with_the_times_they_have(older: str, servers: Servers) -> None:
    organizations = [uuid7(), uuid7()]
    ids = {org_id: [_insert(older, org_id, detail) for detail in _DETAILS] for org_id in organizations}
    migrate(older)
    async with _serving(servers, older) as postgres:
        audit = AuditService(postgres)
        for org_id in organizations:
            verdict = await audit.verify(org_id)
            assert (verdict.count, verdict.damage) == (len(_DETAILS), None)
            events = await audit.page(org_id, None, 10, Selection())
            assert [event.id for event in reversed(events)] == [str(known) for known in ids[org_id]]
            assert {event.at for event in events} == {"2025-01-31T12:00:00.123456Z"}
            assert {event.address for event in events} == {"203.0.113.7"}


async def test_the_chain_goes_on_from_there(older: str, servers: Servers) -> None:
    org_id = uuid7()
    for detail in _DETAILS:
        _insert(older, org_id, detail)
    migrate(older)
    async with _serving(servers, older) as postgres:
        async with postgres.transaction(org_id) as connection:
            await record(connection, AuditEvent(org_id, "cli", "agent.pause", "success"))
        audit = AuditService(postgres)
        export = await audit.export(Actor.local(org_id, "cli"), Selection())
        lines = b"".join([batch async for batch in export.batches]).splitlines()
        assert [json.loads(line)["detail"] for line in lines[:3]] == _DETAILS[:3]
        verdict = verify_lines(lines)
        assert (verdict.count, verdict.damage) == (len(_DETAILS) + 2, None)
        assert verdict == await audit.verify(org_id)


async def test_what_is_altered_after_the_migration_is_found(older: str, servers: Servers) -> None:
    org_id = uuid7()
    for detail in _DETAILS:
        _insert(older, org_id, detail)
    migrate(older)
    superuser = make_conninfo(servers.postgres.superuser_dsn, dbname=conninfo_to_dict(older)["dbname"])
    with psycopg.connect(superuser) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute("UPDATE ibex.audit_events SET actor = 'nobody' WHERE number = 3")
    async with _serving(servers, older) as postgres:
        verdict = await AuditService(postgres).verify(org_id)
    assert verdict.damage is not None
    assert verdict.damage.number == 3


async def test_old_events_cannot_be_altered_after_the_migration(older: str) -> None:
    """The guard that was lifted for it is back."""
    org_id = uuid7()
    _insert(older, org_id, {})
    migrate(older)
    with psycopg.connect(older) as connection:
        connection.execute("SELECT set_config('app.current_org_id', %s, false)", (str(org_id),))
        with pytest.raises(psycopg.errors.RestrictViolation):
            connection.execute("UPDATE ibex.audit_events SET actor = 'nobody'")


async def test_an_installation_without_events_is_migrated_too(older: str, servers: Servers) -> None:
    migrate(older)
    async with _serving(servers, older) as postgres:
        verdict = await AuditService(postgres).verify(org_id := uuid7())
        assert (verdict.count, verdict.damage, verdict.org_id) == (0, None, str(org_id))


def _insert(dsn: str, org_id: UUID, detail: dict[str, Any]) -> UUID:
    event_id = uuid7()
    with psycopg.connect(dsn) as connection:
        connection.execute("SELECT set_config('app.current_org_id', %s, true)", (str(org_id),))
        connection.execute(
            "INSERT INTO ibex.organizations (id, slug, name) VALUES (%s, %s, 'Old') ON CONFLICT DO NOTHING",
            (org_id, f"old-{str(org_id)[-12:]}"),
        )
        connection.execute(
            """
            INSERT INTO ibex.audit_events
                (org_id, id, at, actor, action, target, outcome, address, detail)
            VALUES (%s, %s, '2025-01-31 12:00:00.123456+00', 'cli', 'agent.create', 'a', 'success',
                '203.0.113.7', %s)
            """,
            (org_id, event_id, Jsonb(detail)),
        )
    return event_id
