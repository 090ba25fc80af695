"""What the database still holds when somebody speaks to it as the service, for any organization they like."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg import Connection, errors, sql
from psycopg.conninfo import make_conninfo

from ibex.auth import ALL, CHAT, IssuedToken, PlatformRight
from ibex.ids import uuid7
from tests.docs.markdown import ROOT, blocks
from tests.fixtures import Database
from tests.operator import Operator
from tests.security.tenants import Tenant, insert

_DAY = timedelta(days=1)
_DELETE = "UPDATE ibex.organizations SET status = 'deleting', delete_after = {}"


@contextmanager
def taken_over(database: Database, org_id: UUID, dsn: str | None = None) -> Iterator[Connection]:
    """The service's connection, in an organization of the intruder's choice; each statement stays."""
    with psycopg.connect(dsn or database.service_dsn, autocommit=True) as connection:
        connection.execute("SELECT set_config('app.current_org_id', %s, false)", (str(org_id),))
        yield connection


def one(connection: Connection, query: str, *parameters: object) -> Any:
    row = connection.execute(query.encode(), parameters).fetchone()
    assert row is not None
    return row[0]


@pytest.fixture
def login_of_the_service(database: Database) -> Iterator[str]:
    """A role that has the rights of the service without becoming it."""
    name = sql.Identifier("ibex_login")
    with psycopg.connect(database.superuser_dsn, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD 'login' INHERIT").format(name))
        connection.execute(sql.SQL("GRANT ibex_service TO {}").format(name))
        database_name = sql.Identifier(connection.info.dbname)
        connection.execute(sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(database_name, name))
        yield make_conninfo(database.service_dsn, user="ibex_login", password="login")
        connection.execute(sql.SQL("DROP OWNED BY {}").format(name))
        connection.execute(sql.SQL("DROP ROLE {}").format(name))


@pytest.mark.parametrize("moment", ["now()", "'-infinity'", "'1999-01-01'", "NULL"])
async def test_no_organization_can_be_erased_within_a_day(
    database: Database, operator: Operator, moment: str
) -> None:
    org_id = await operator.organization()
    with taken_over(database, org_id) as connection:
        began = one(connection, "SELECT clock_timestamp()")
        connection.execute(_DELETE.format(moment).encode())
        assert one(connection, "SELECT delete_after FROM ibex.organizations") >= began + _DAY
        _assert_it_stays(connection, org_id)


async def test_the_date_of_an_erasure_cannot_be_brought_forward(
    database: Database, operator: Operator
) -> None:
    org_id = await operator.organization()
    await operator.administration.organizations.delete(operator.actor(org_id), org_id, timedelta(days=30))
    with taken_over(database, org_id) as connection:
        date = one(connection, "SELECT delete_after FROM ibex.organizations")
        connection.execute("UPDATE ibex.organizations SET delete_after = now()")
        connection.execute(_DELETE.format("now() + interval '2 days'").encode())
        assert one(connection, "SELECT delete_after FROM ibex.organizations") == date
        _assert_it_stays(connection, org_id)


async def test_a_login_that_only_inherits_the_services_rights_is_bound_as_well(
    database: Database, operator: Operator, login_of_the_service: str
) -> None:
    org_id = await operator.organization()
    issued = await operator.issue(org_id)
    with taken_over(database, org_id, login_of_the_service) as connection:
        assert one(connection, "SELECT current_user") == "ibex_login"
        connection.execute(_DELETE.format("now()").encode())
        _assert_it_stays(connection, org_id)
        with pytest.raises(errors.InsufficientPrivilege):
            connection.execute("UPDATE ibex.tokens SET platform = 1 WHERE id = %s", (issued.record.id,))


async def test_the_owner_of_the_schema_may_bring_an_erasure_forward(
    database: Database, operator: Operator
) -> None:
    """As the page on security says."""
    (page,) = (block for block in blocks(ROOT / "docs" / "security.md") if block.language == "sql")
    org_id = await operator.organization()
    await operator.administration.organizations.delete(operator.actor(org_id), org_id, _DAY)
    with psycopg.connect(database.owner_dsn) as connection:
        for statement in page.text.replace(str(UUID(int=0)), str(org_id)).strip().split("\n"):
            connection.execute(statement.encode())
    with taken_over(database, org_id) as connection:
        assert one(connection, "SELECT ibex.erase_organization(%s)", org_id) is True


def _assert_it_stays(connection: Connection, org_id: UUID) -> None:
    assert one(connection, "SELECT ibex.erase_organization(%s)", org_id) is False
    assert one(connection, "SELECT ibex.next_organization_to_erase(NULL)") is None
    assert one(connection, "SELECT count(*) FROM ibex.agents") == 1


@pytest.mark.parametrize(
    "change",
    [
        "permissions = permissions | 4096",
        "secret_hash = sha256('mine')",
        "user_id = NULL",
        "agent_id = NULL",
        "default_agent_id = NULL",
        "allowed_networks = '{}'",
        "created_by = NULL",
        "created_at = now()",
        "org_id = org_id",
        "id = gen_random_uuid()",
        "name = 'other'",
        "platform = 1",
        "platform = 3",
        "expires_at = NULL",
        "expires_at = expires_at + interval '1 second'",
        "expires_at = 'infinity'",
    ],
)
async def test_a_token_is_given_no_more_than_it_was_made_with(
    database: Database, operator: Operator, change: str
) -> None:
    org_id = await operator.organization()
    issued = await _expiring(operator, org_id, PlatformRight.VALIDATE)
    with taken_over(database, org_id) as connection, pytest.raises(errors.InsufficientPrivilege):
        connection.execute(f"UPDATE ibex.tokens SET {change} WHERE id = %s".encode(), (issued.record.id,))


@pytest.mark.parametrize("change", ["revoked_at = NULL", "revoked_at = 'infinity'", "replaced_by = NULL"])
async def test_a_token_that_was_revoked_or_replaced_stays_so(
    database: Database, operator: Operator, change: str
) -> None:
    org_id = await operator.organization()
    issued = await _expiring(operator, org_id)
    tokens, actor = operator.administration.tokens, operator.actor(org_id)
    await tokens.rotate(actor, issued.record.id, timedelta(hours=1))
    await tokens.revoke(actor, issued.record.id)
    with taken_over(database, org_id) as connection, pytest.raises(errors.InsufficientPrivilege):
        connection.execute(f"UPDATE ibex.tokens SET {change} WHERE id = %s".encode(), (issued.record.id,))


async def test_a_token_can_be_narrowed(database: Database, operator: Operator) -> None:
    org_id = await operator.organization()
    await _expiring(operator, org_id, PlatformRight.VALIDATE)
    with taken_over(database, org_id) as connection:
        for change in ("platform = 0", "expires_at = now()", "revoked_at = now()"):
            assert connection.execute(f"UPDATE ibex.tokens SET {change}".encode()).rowcount == 1


@pytest.mark.parametrize(
    "wider",
    [
        {"permissions": int(CHAT) | 1 << 36},
        {"platform": 1},
        {"agent_id": None},
        {"created_by": uuid7()},
    ],
)
async def test_a_token_that_names_its_creator_can_do_no_more_than_it(
    database: Database, operator: Operator, wider: dict[str, object]
) -> None:
    org_id = await operator.organization()
    creator = await operator.issue(org_id, CHAT)
    row = {
        "org_id": org_id,
        "id": uuid7(),
        "name": "mine",
        "secret_hash": bytes(32),
        "permissions": int(CHAT),
        "agent_id": creator.record.agent_id,
        "created_by": creator.record.id,
    }
    with taken_over(database, org_id) as connection:
        insert(connection, "tokens", row)
        with pytest.raises(errors.InsufficientPrivilege, match="creator"):
            insert(connection, "tokens", {**row, "id": uuid7(), **wider})


@pytest.mark.parametrize(
    ("holds", "grants"),
    [(PlatformRight(0), 0), (PlatformRight.VALIDATE, 0), (PlatformRight.ORGANIZATIONS, 1)],
)
async def test_only_who_may_make_organizations_makes_tokens_in_others_and_none_with_that_right(
    database: Database, operator: Operator, holds: PlatformRight, grants: int
) -> None:
    home, other = await operator.organization(), await operator.organization("globex")
    creator = await operator.issue(home, ALL, agent=None, platform=holds)
    row = {
        "org_id": other,
        "id": uuid7(),
        "name": "mine",
        "secret_hash": bytes(32),
        "permissions": int(ALL),
        "platform": grants,
        "created_by": creator.record.id,
    }
    with taken_over(database, other) as connection:
        with pytest.raises(errors.InsufficientPrivilege, match="creator"):
            insert(connection, "tokens", row)
        if PlatformRight.ORGANIZATIONS in holds:
            insert(connection, "tokens", {**row, "platform": 0})


async def _expiring(
    operator: Operator,
    org_id: UUID,
    platform: PlatformRight = PlatformRight(0),  # noqa: B008
) -> IssuedToken:
    return await operator.issue(org_id, expires_at=datetime.now(UTC) + _DAY, platform=platform)


@pytest.mark.parametrize(
    ("table", "column"),
    [
        ("organizations", "slug"),
        ("organizations", "created_at"),
        ("users", "org_id"),
        ("users", "id"),
        ("agents", "slug"),
        ("agents", "created_at"),
        ("sessions", "agent_id"),
        ("sessions", "started_at"),
        ("provider_credentials", "provider"),
        ("provider_credentials", "org_id"),
        ("limit_overrides", "subject"),
        ("limit_overrides", "scope"),
    ],
)
def test_what_a_row_is_about_does_not_change(database: Database, table: str, column: str) -> None:
    tenant = Tenant("acme")
    with psycopg.connect(database.superuser_dsn) as connection:
        tenant.insert(connection)
    with taken_over(database, tenant.id) as connection, pytest.raises(errors.InsufficientPrivilege):
        connection.execute(f"UPDATE ibex.{table} SET {column} = {column}".encode())
