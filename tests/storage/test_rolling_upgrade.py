"""While replicas are upgraded one by one, the older ones meet the newer schema."""

import psycopg
from psycopg.rows import dict_row, scalar_row

from ibex.traces.shipping import repository
from tests.fixtures import Database
from tests.operator import Operator
from tests.traces.calls import trace


async def test_turns_are_stored_although_a_newer_replica_has_added_a_column(
    database: Database, operator: Operator
) -> None:
    org_id = await operator.organization()
    agent = await operator.agent(org_id, "helper")
    with psycopg.connect(database.superuser_dsn) as connection:
        connection.execute("ALTER TABLE ibex.session_turns ADD COLUMN region text NOT NULL DEFAULT 'here'")
    async with operator.postgres.transaction(org_id) as connection:
        await repository.count(connection, org_id, [trace(org_id, agent.id)])
    assert await operator.postgres.fetch_all(
        org_id, "SELECT region FROM ibex.session_turns", row=scalar_row
    ) == ["here"]


async def test_every_column_of_a_turn_says_what_its_trace_says(
    database: Database, operator: Operator
) -> None:
    org_id = await operator.organization()
    agent = await operator.agent(org_id, "helper")
    told = trace(org_id, agent.id)
    async with operator.postgres.transaction(org_id) as connection:
        await repository.count(connection, org_id, [told])
    [row] = await operator.postgres.fetch_all(org_id, "SELECT * FROM ibex.session_turns", row=dict_row)
    hashes = {name: row[name].hex() for name in ("request_sha256", "response_sha256")}
    assert {**row, **hashes} == {name: getattr(told, name) for name in row}
