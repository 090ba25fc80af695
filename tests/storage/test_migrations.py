"""Migrations are applied once, whoever starts together, and a newer database is left alone."""

import itertools
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from subprocess import PIPE, Popen
from sys import executable

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from ibex.storage import migrations
from ibex.storage.migrations import MigrationError, latest, migrate
from tests.fixtures import Database, Servers

_numbers = itertools.count(1)


@pytest.fixture
def empty(servers: Servers) -> Iterator[str]:
    """The owner's address of a database without a schema."""
    name = f"empty_{next(_numbers)}"
    admin = servers.postgres.superuser_dsn
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {} OWNER ibex_owner").format(sql.Identifier(name)))
    yield make_conninfo(servers.postgres.owner_dsn, dbname=name)
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def test_an_empty_database_is_brought_to_the_newest_revision_once(empty: str) -> None:
    assert migrations.current(empty) is None
    assert migrate(empty) == (None, latest())
    assert migrate(empty) == (latest(), latest())
    assert migrations.current(empty) == latest()


def test_without_pgvector_it_says_what_to_do(empty: str, servers: Servers) -> None:
    _as_superuser(servers, empty, "DROP EXTENSION vector", within=True)
    with pytest.raises(MigrationError, match="let a superuser run CREATE EXTENSION vector"):
        migrate(empty)
    _as_superuser(servers, empty, "CREATE EXTENSION vector", within=True)
    assert migrate(empty)[1] == latest()
    _assert_complete(empty)


def test_ten_processes_that_start_together_migrate_once(empty: str) -> None:
    _migrate_together([empty] * 10)
    _assert_complete(empty)


def test_ten_threads_that_start_together_migrate_once(empty: str) -> None:
    start = threading.Barrier(10)

    def replica() -> str:
        start.wait()
        return migrate(empty)[1]

    with ThreadPoolExecutor(10) as pool:
        results = [pool.submit(replica) for _ in range(10)]
        assert [result.result(timeout=60) for result in results] == [latest()] * 10
    _assert_complete(empty)


def test_databases_of_one_server_are_migrated_together(data_servers: Servers) -> None:
    """Roles belong to the server, not to a database: each of the migrations would create the same one."""
    admin = data_servers.postgres.superuser_dsn
    names = ("one", "two", "three", "four")
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute("REVOKE CONNECT ON DATABASE ibex FROM ibex_service")
        connection.execute("DROP ROLE ibex_service")
        for name in names:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    _migrate_together([make_conninfo(admin, dbname=name) for name in names])


def test_a_database_newer_than_the_code_is_refused_in_a_sentence(database: Database) -> None:
    with psycopg.connect(database.superuser_dsn) as connection:
        connection.execute("UPDATE ibex.alembic_version SET version_num = '9999'")
    with pytest.raises(MigrationError, match=r"revision 9999, newer than .* Install the newer version"):
        migrate(database.owner_dsn)


def test_a_database_that_a_newer_replica_migrates_meanwhile_is_refused_too(
    empty: str, servers: Servers
) -> None:
    """The older replica waits for the lock and then finds a revision it has never heard of."""
    with psycopg.connect(empty, autocommit=True) as newer, ThreadPoolExecutor(1) as pool:
        newer.execute(f"SELECT pg_advisory_lock({migrations._LOCK})".encode())
        older = pool.submit(migrate, empty)
        while not newer.execute(
            "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        ).fetchone():
            assert not older.done(), older.result()
        newer.execute("CREATE SCHEMA ibex")
        newer.execute("CREATE TABLE ibex.alembic_version (version_num text)")
        newer.execute("INSERT INTO ibex.alembic_version VALUES ('9999')")
        newer.execute(f"SELECT pg_advisory_unlock({migrations._LOCK})".encode())
        with pytest.raises(MigrationError, match="newer than"):
            older.result(timeout=30)


def test_a_migration_that_fails_leaves_nothing_behind(empty: str, servers: Servers) -> None:
    with psycopg.connect(empty) as connection:
        connection.execute("CREATE SCHEMA ibex")
        connection.execute("CREATE TABLE ibex.audit_events ()")
    with pytest.raises(MigrationError, match='relation "audit_events" already exists'):
        migrate(empty)
    with psycopg.connect(empty) as connection:
        tables = connection.execute("SELECT relname FROM pg_class WHERE relname = 'organizations'").fetchall()
        assert tables == []
        connection.execute("DROP TABLE ibex.audit_events")
    assert migrate(empty) == (None, latest())


def test_the_role_that_serves_may_not_migrate(empty: str, servers: Servers) -> None:
    """It would own the tables, and be the owner that may look up across organizations."""
    _as_superuser(servers, empty, "GRANT CREATE ON DATABASE {database} TO ibex_service")
    serving = make_conninfo(servers.postgres.service_dsn, dbname=conninfo_to_dict(empty)["dbname"])
    with pytest.raises(MigrationError, match="ibex_service serves requests and must not migrate"):
        migrate(serving)
    _assert_untouched(empty)


def test_a_database_without_pgvector_is_told_what_to_do(servers: Servers) -> None:
    admin = servers.postgres.superuser_dsn
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute("CREATE DATABASE bare OWNER ibex_owner TEMPLATE template0")
    try:
        with pytest.raises(MigrationError, match="CREATE EXTENSION vector"):
            migrate(make_conninfo(servers.postgres.owner_dsn, dbname="bare"))
    finally:
        with psycopg.connect(admin, autocommit=True) as connection:
            connection.execute("DROP DATABASE bare WITH (FORCE)")


def test_the_role_that_serves_is_enough_where_there_is_nothing_to_migrate(database: Database) -> None:
    """So that replicas need not hold what the owner logs in with."""
    assert migrate(database.service_dsn) == (latest(), latest())


def test_a_role_whose_rights_the_serving_role_has_may_not_migrate(empty: str, servers: Servers) -> None:
    _as_superuser(servers, empty, "GRANT ibex_owner TO ibex_service")
    try:
        with pytest.raises(MigrationError, match="ibex_service is a member of ibex_owner"):
            migrate(empty)
    finally:
        _as_superuser(servers, empty, "REVOKE ibex_owner FROM ibex_service")
    _assert_untouched(empty)


@pytest.mark.parametrize("attribute", ["SUPERUSER", "BYPASSRLS"])
def test_a_serving_role_that_row_security_does_not_bind_is_refused(
    empty: str, servers: Servers, attribute: str
) -> None:
    _as_superuser(servers, empty, f"ALTER ROLE ibex_service {attribute}")
    try:
        with pytest.raises(MigrationError, match="row security does not bind ibex_service"):
            migrate(empty)
    finally:
        _as_superuser(servers, empty, f"ALTER ROLE ibex_service NO{attribute}")
    _assert_untouched(empty)


def test_a_superuser_may_migrate(empty: str, servers: Servers) -> None:
    dsn = make_conninfo(servers.postgres.superuser_dsn, dbname=conninfo_to_dict(empty)["dbname"])
    assert migrate(dsn) == (None, latest())


@pytest.mark.parametrize(
    "dsn",
    [
        "postgresql://someone:hunter2@127.0.0.1:1/ibex",
        "postgresql//someone:hunter2@127.0.0.1/ibex",
        "postgresql://someone:/hunter2@127.0.0.1/ibex",
        "host=127.0.0.1 password=hunter2 port",
    ],
)
def test_no_password_is_told_when_the_address_is_wrong(dsn: str) -> None:
    with pytest.raises(MigrationError) as caught:
        migrate(dsn)
    assert "hunter2" not in str(caught.value)


def _as_superuser(servers: Servers, dsn: str, statement: str, *, within: bool = False) -> None:
    """Run a statement about a database; `within` it, or from outside."""
    name = str(conninfo_to_dict(dsn)["dbname"])
    admin = servers.postgres.superuser_dsn
    with psycopg.connect(
        make_conninfo(admin, dbname=name) if within else admin, autocommit=True
    ) as connection:
        connection.execute(sql.SQL(statement).format(database=sql.Identifier(name)))


def _assert_untouched(dsn: str) -> None:
    """A schema left behind would belong to the role that was refused."""
    with psycopg.connect(dsn) as connection:
        assert connection.execute("SELECT to_regnamespace('ibex')").fetchone() == (None,)


def _migrate_together(dsns: Sequence[str]) -> None:
    """One process per address, each kept waiting until all have loaded what they need."""
    program = (
        "import sys, alembic.command, sqlalchemy; from ibex.storage.migrations import migrate; "
        "print('ready', flush=True); sys.stdin.readline(); migrate(sys.argv[1])"
    )
    replicas = [
        Popen([executable, "-c", program, dsn], stdin=PIPE, stdout=PIPE, stderr=PIPE, text=True)
        for dsn in dsns
    ]
    for replica in replicas:
        assert replica.stdout is not None
        assert replica.stdout.readline() == "ready\n"
    for replica in replicas:
        assert replica.stdin is not None
        replica.stdin.write("\n")
        replica.stdin.flush()
    for replica in replicas:
        _, errors = replica.communicate(timeout=60)
        assert replica.returncode == 0, errors


def _assert_complete(dsn: str) -> None:
    with psycopg.connect(dsn) as connection:
        versions = connection.execute("SELECT version_num FROM ibex.alembic_version").fetchall()
        unguarded = connection.execute(
            "SELECT c.relname FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid "
            "WHERE c.relnamespace = 'ibex'::regnamespace AND c.relkind IN ('r', 'p') "
            "AND NOT c.relispartition AND a.attname = 'org_id' AND NOT EXISTS "
            "(SELECT FROM pg_policy WHERE polrelid = c.oid AND polname = 'tenant')"
        ).fetchall()
    assert versions == [(latest(),)]
    assert unguarded == []
