"""ClickHouse over HTTP: what is bound stays a value, and what is away is told from what is wrong."""

import asyncio
import socket

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ibex.ids import uuid7
from ibex.storage import ClickHouse, ClickHouseError, DatabaseUnavailableError
from ibex.storage.clickhouse_migrations import migrate_clickhouse, statements
from ibex.storage.migrations import MigrationError
from ibex.traces.store import ClickHouseTraces, Expired, Selection
from tests.clickhouse.fixtures import clickhouse, clickhouse_server, clickhouse_url
from tests.traces.conftest import NOON, trace

__all__ = ["clickhouse", "clickhouse_server", "clickhouse_url"]

# No halves of surrogate pairs, which are no text.
TEXT = st.text(st.characters(codec="utf-8"), max_size=40)
EVERYTHING = Selection()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50, deadline=None)
@given(text=TEXT)
def test_a_value_stays_what_it_is(clickhouse_server: str, text: str) -> None:
    async def ask() -> str:
        client = ClickHouse(clickhouse_server)
        try:
            [row] = await client.fetch("SELECT {text:String} AS said", text=text)
            return str(row["said"])
        finally:
            await client.close()

    assert asyncio.run(ask()) == text


async def test_no_value_becomes_part_of_a_statement(clickhouse: ClickHouse) -> None:
    store, org_id = ClickHouseTraces(clickhouse), uuid7()
    await store.insert({org_id: [trace(org_id, uuid7())]})

    for text in ("' OR 1=1 --", "\\' OR 1=1 --", "x'; DROP TABLE traces; --", "{org_id:UUID}", "\\N", "\t"):
        assert await store.page(org_id, Selection(user_id=text), None, 10) == []
    assert len(await store.page(org_id, EVERYTHING, None, 10)) == 1


async def test_migrations_are_applied_once_and_can_be_repeated(clickhouse_url: str) -> None:
    client = ClickHouse(clickhouse_url)
    newest = max(statements())
    try:
        assert await migrate_clickhouse(client) == (0, newest)
        assert await migrate_clickhouse(client) == (newest, newest)
        # As if it had been interrupted before it was noted down.
        await client.execute("TRUNCATE TABLE ibex_migrations")
        assert await migrate_clickhouse(client) == (0, newest)
        await client.execute("INSERT INTO ibex_migrations (number) SELECT 9999")
        with pytest.raises(MigrationError, match="newer than this version"):
            await migrate_clickhouse(client)
    finally:
        await client.close()


async def test_a_server_that_refuses_connections_is_away() -> None:
    client = ClickHouse("http://127.0.0.1:9", timeout=5.0)
    with pytest.raises(DatabaseUnavailableError, match="does not answer"):
        await client.ping()
    with pytest.raises(MigrationError, match="Check `clickhouse_url`"):
        await migrate_clickhouse(client)
    await client.close()


async def test_a_server_that_hangs_is_away() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        client = ClickHouse(f"http://127.0.0.1:{silent.getsockname()[1]}", timeout=0.2)
        with pytest.raises(DatabaseUnavailableError, match="TimeoutError"):
            await client.ping()
        await client.close()


async def test_what_may_pass_is_told_from_what_will_not(clickhouse_url: str, clickhouse: ClickHouse) -> None:
    with pytest.raises(DatabaseUnavailableError, match="code 60"):
        await clickhouse.fetch("SELECT * FROM not_there_yet")
    with pytest.raises(ClickHouseError, match="code 62"):
        await clickhouse.fetch("SELECT FROM WHERE")
    with pytest.raises(ClickHouseError) as refused:
        await clickhouse.insert("INSERT INTO traces FORMAT JSONEachRow", [{"org_id": "a secret of ada's"}])
    assert "secret" not in str(refused.value)
    with pytest.raises(DatabaseUnavailableError, match="code 62"):
        await clickhouse.insert("INSERT INTO traces FORMAT", [{"of": "rows that are not to blame"}])
    stranger = ClickHouse(clickhouse_url.replace("//", "//ibex:wrong@"))
    with pytest.raises(DatabaseUnavailableError, match="code 516"):
        await stranger.ping()
    await stranger.close()


async def test_everything_of_an_organization_can_be_forgotten(clickhouse: ClickHouse) -> None:
    store, gone, stays = ClickHouseTraces(clickhouse), uuid7(), uuid7()
    for org_id in (gone, stays):
        await store.insert({org_id: [trace(org_id, uuid7())]})

    await store.forget(gone)

    assert await store.page(gone, EVERYTHING, None, 10) == []
    assert len(await store.page(stays, EVERYTHING, None, 10)) == 1


async def test_a_table_that_keeps_traces_for_as_long_is_left_as_it_is(clickhouse: ClickHouse) -> None:
    async def changed() -> object:
        [table] = await clickhouse.fetch(
            "SELECT toString(metadata_modification_time) AS at, create_table_query AS query "
            "FROM system.tables WHERE database = currentDatabase() AND name = 'traces'"
        )
        return table

    store = ClickHouseTraces(clickhouse)
    await store.expire(30, dry_run=False)
    before = await changed()
    assert "toIntervalDay(30)" in str(before)
    await store.expire(30, dry_run=False)
    assert await changed() == before


async def test_the_table_keeps_traces_for_as_long_as_it_is_told(clickhouse: ClickHouse) -> None:
    store, org_id = ClickHouseTraces(clickhouse), uuid7()
    old = trace(org_id, uuid7(), at=NOON.replace(year=2025))
    await store.expire(3_650, dry_run=False)
    await store.insert({org_id: [old]})
    await clickhouse.execute("OPTIMIZE TABLE traces FINAL")
    assert await store.page(org_id, EVERYTHING, None, 10) == [old]

    [expired] = await store.expire(90, dry_run=True)
    assert isinstance(expired, Expired)
    assert expired.traces == 1
    await store.expire(90, dry_run=False)
    await clickhouse.execute("OPTIMIZE TABLE traces FINAL")

    assert await store.page(org_id, EVERYTHING, None, 10) == []
    assert await store.expire(90, dry_run=True) == []
