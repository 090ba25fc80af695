"""The roles that docs/operations.md asks for are enough to migrate and to serve."""

import re
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from ibex.doctor import State, examine
from ibex.embedded import PostgresServer
from ibex.storage.migrations import migrate
from tests.docs.markdown import ROOT, Block, blocks
from tests.embedded.running import running_postgres

pytestmark = pytest.mark.xdist_group("docs")

_PAGE = ROOT / "docs" / "operations.md"
_BLOCKS = [block for block in blocks(_PAGE) if block.language == "sql"]


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    with running_postgres(tmp_path_factory.mktemp("roles")) as server:
        yield server


@pytest.mark.parametrize("block", _BLOCKS, ids=str)
def test_the_documented_roles_suffice(postgres: PostgresServer, tmp_path: Path, block: Block) -> None:
    admin = make_conninfo(postgres.superuser_dsn, dbname="postgres")
    _start_anew(admin, block.text)
    addresses = {
        role: make_conninfo(admin, user=role, password=password, dbname="ibex")
        for role, password in re.findall(r"CREATE ROLE (\w+) LOGIN PASSWORD '(.+?)'", block.text)
    }
    owner = addresses.get("ibex_owner") or addresses["ibex"]
    service = addresses.get("ibex_service") or addresses["ibex"]

    migrate(owner)

    settings = {
        "data_dir": tmp_path,
        "postgres_dsn": service,
        "postgres_migration_dsn": owner,
        "redis_url": "redis://127.0.0.1:1/0",
    }
    states = {finding.check: finding.state for finding in examine(None, settings, offline=True)}
    assert [states[check] for check in ("Postgres", "schema", "service role")] == [State.OK] * 3


def _start_anew(admin: str, statements: str) -> None:
    """Only what the page says is left of roles and databases; the bundled ones have the same names."""
    before, _, within = statements.partition("\\connect ibex\n")
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute("DROP DATABASE IF EXISTS ibex WITH (FORCE)")
        for role in ("ibex_owner", "ibex_service", "ibex"):
            connection.execute(f"DROP ROLE IF EXISTS {role}".encode())
        for statement in before.split(";"):
            connection.execute(statement.encode())
    with psycopg.connect(make_conninfo(admin, dbname="ibex"), autocommit=True) as connection:
        connection.execute(within.encode())
