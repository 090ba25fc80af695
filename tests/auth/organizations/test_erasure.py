"""An organization whose grace period is over leaves nothing but that it was there."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import psycopg
import pytest
from psycopg import sql
from redis.exceptions import ConnectionError as RedisConnectionError

from ibex.auth import OrganizationErasure
from ibex.storage import DatabaseUnavailableError, Redis, connect, organization_key
from ibex.workers import JobQueue
from tests.fixtures import Database
from tests.operator import Operator
from tests.security.catalogue import tenant_tables
from tests.security.tenants import Tenant
from tests.storage.cluster import running_cluster

_DAY = timedelta(days=1)


@pytest.fixture
def superuser(database: Database) -> Iterator[psycopg.Connection]:
    with psycopg.connect(database.superuser_dsn, autocommit=True) as connection:
        yield connection


def filled(connection: psycopg.Connection, name: str) -> Tenant:
    """An organization with a row in every table that belongs to one."""
    tenant = Tenant(name)
    tenant.insert(connection)
    assert {table for table, rows in counted(connection, tenant).items() if rows == 0} == set()
    return tenant


def counted(connection: psycopg.Connection, tenant: Tenant) -> dict[str, int]:
    """How many rows each table has of an organization; the catalogue says which tables there are."""
    found = {}
    for table in tenant_tables(connection):
        key = "id" if table == "organizations" else "org_id"
        query = sql.SQL("SELECT count(*) FROM {} WHERE {} = %s").format(
            sql.Identifier("ibex", table), sql.Identifier(key)
        )
        row = connection.execute(query, (tenant.id,)).fetchone()
        found[table] = int(row[0]) if row else 0
    return found


async def delete(operator: Operator, tenant: Tenant) -> None:
    await operator.administration.organizations.delete(operator.actor(tenant.id), tenant.id, _DAY)


async def delete_a_day_ago(operator: Operator, superuser: psycopg.Connection, tenant: Tenant) -> None:
    await delete(operator, tenant)
    superuser.execute("UPDATE ibex.organizations SET delete_after = now() WHERE id = %s", (tenant.id,))


async def erase(operator: Operator, redis: "Redis | None" = None) -> None:
    await OrganizationErasure(operator.postgres, redis or operator.redis).run()


async def test_every_row_of_every_table_goes(operator: Operator, superuser: psycopg.Connection) -> None:
    ada, bob = filled(superuser, "ada"), filled(superuser, "bob")
    of_bob = counted(superuser, bob)
    await delete_a_day_ago(operator, superuser, ada)
    await erase(operator)
    assert set(counted(superuser, ada).values()) == {0}
    assert counted(superuser, bob) == of_bob
    assert superuser.execute("SELECT organization FROM ibex.erasures").fetchall() == [(ada.id,)]


async def test_nothing_goes_before_the_grace_period_is_over(
    operator: Operator, superuser: psycopg.Connection
) -> None:
    waiting, suspended, active = (filled(superuser, name) for name in ("waiting", "suspended", "active"))
    organizations = operator.administration.organizations
    await delete(operator, waiting)
    await organizations.suspend(operator.actor(suspended.id), suspended.id)
    await erase(operator)
    for tenant in (waiting, suspended, active):
        assert 0 not in counted(superuser, tenant).values()
    assert superuser.execute("SELECT FROM ibex.erasures").fetchall() == []


async def test_its_keys_go_from_redis_and_no_others(
    operator: Operator, superuser: psycopg.Connection
) -> None:
    ada, bob = filled(superuser, "ada"), filled(superuser, "bob")
    for tenant in (ada, bob):
        for number in range(1_200):
            await operator.redis.set(organization_key(tenant.id, "session", number), "x")
    await delete_a_day_ago(operator, superuser, ada)
    await erase(operator)
    left = [key async for key in operator.redis.scan_iter(match="ibex:*", count=1_000)]
    assert len(left) == 1_200
    assert all(str(bob.id).encode() in key for key in left)


async def test_its_jobs_go_from_the_queue_and_no_others(
    operator: Operator, superuser: psycopg.Connection
) -> None:
    ada, bob = await operator.organization("ada"), await operator.organization("bob")
    queue = JobQueue(operator.redis)
    for org_id in (ada, bob):
        await queue.put("turn.capture", {f"turn.capture:{org_id}:1": {"org_id": org_id}})
    await operator.administration.organizations.delete(operator.actor(ada), ada, _DAY)
    superuser.execute("UPDATE ibex.organizations SET delete_after = now() WHERE id = %s", (ada,))
    await OrganizationErasure(operator.postgres, operator.redis, queue.forget).run()
    left = [key.decode() async for key in operator.redis.scan_iter(match="arq:job:*")]
    assert left == [f"arq:job:turn.capture:{bob}:1"]
    assert (await queue.state()).waiting == 1


async def test_a_cluster_is_searched_as_well(
    operator: Operator, superuser: psycopg.Connection, tmp_path: Path
) -> None:
    ada = filled(superuser, "ada")
    await delete_a_day_ago(operator, superuser, ada)
    with running_cluster(tmp_path) as cluster:
        redis = connect(cluster.url, timeout=5.0)
        try:
            await redis.set(organization_key(ada.id, "session", 1), "x")
            await erase(operator, redis)
            assert await redis.exists(organization_key(ada.id, "session", 1)) == 0
        finally:
            await redis.aclose()


async def test_what_is_being_erased_by_another_process_is_left_to_it(
    operator: Operator, superuser: psycopg.Connection, database: Database
) -> None:
    ada = filled(superuser, "ada")
    await delete_a_day_ago(operator, superuser, ada)
    with psycopg.connect(database.superuser_dsn) as other:
        other.execute("SELECT FROM ibex.organizations WHERE id = %s FOR UPDATE", (ada.id,))
        await erase(operator)
        assert counted(superuser, ada)["organizations"] == 1
    await erase(operator)
    assert counted(superuser, ada)["organizations"] == 0


async def test_an_erasure_that_was_interrupted_is_taken_up_again(
    operator: Operator, superuser: psycopg.Connection
) -> None:
    ada = filled(superuser, "ada")
    await delete_a_day_ago(operator, superuser, ada)
    nowhere = connect("redis://127.0.0.1:1", timeout=0.5)
    with pytest.raises(ExceptionGroup) as failed:
        await erase(operator, nowhere)
    await nowhere.aclose()
    assert [type(error) for error in failed.value.exceptions] == [RedisConnectionError]
    assert counted(superuser, ada)["organizations"] == 1
    await erase(operator)
    assert counted(superuser, ada)["organizations"] == 0


async def test_one_that_cannot_be_erased_yet_is_remembered_and_keeps_no_other(
    operator: Operator, superuser: psycopg.Connection
) -> None:
    """Whatever is elsewhere is away: at first, and for the one that it is asked about after the rows went."""
    tenants = [filled(superuser, name) for name in ("ada", "bob")]
    for tenant in tenants:
        await delete_a_day_ago(operator, superuser, tenant)
    ada, bob = sorted(tenants, key=lambda tenant: tenant.id)
    asked: list[UUID] = []

    async def forget(org_id: UUID) -> None:
        asked.append(org_id)
        if org_id == ada.id and asked.count(org_id) in (1, 3):
            raise DatabaseUnavailableError

    erasure = OrganizationErasure(operator.postgres, operator.redis, forget)
    for _ in range(2):
        with pytest.raises(ExceptionGroup):
            await erasure.run()
        assert counted(superuser, ada)["organizations"] == 1
        assert counted(superuser, bob)["organizations"] == 0
    await erasure.run()
    assert counted(superuser, ada)["organizations"] == 0
    assert asked.count(ada.id) == 5
