"""What the database itself refuses, whoever asks."""

from collections.abc import Iterator
from uuid import UUID

import psycopg
import pytest
from psycopg import errors

from tests.context.directives.desk import Desk
from tests.fixtures import Database

CONTENT = [
    "content = 'other'",
    "sha256 = sha256('other')",
    "mode = 'user_prepend'",
    "change_summary = 'other'",
    "number = 9",
    "id = gen_random_uuid()",
    "created_by = 'other'",
    "created_at = now() - interval '1 day'",
]
STATUSES = ("draft", "review", "active", "deprecated", "revoked")
ALLOWED = {
    ("draft", "review"),
    ("draft", "revoked"),
    ("review", "active"),
    ("review", "revoked"),
    ("active", "deprecated"),
    ("active", "revoked"),
    ("deprecated", "active"),
    ("deprecated", "revoked"),
}


@pytest.fixture
def service(database: Database, desk: Desk) -> Iterator[psycopg.Connection]:
    """The role that serves, within the organization; what it does is rolled back."""
    with psycopg.connect(database.service_dsn) as connection:
        connection.execute("SELECT set_config('app.current_org_id', %s, true)", (str(desk.actor.org_id),))
        yield connection
        connection.rollback()


def insert(connection: psycopg.Connection, desk: Desk, columns: str = "", values: str = "") -> UUID:
    """A draft, or what `columns` make of it; its id."""
    row = connection.execute(
        f"""
        INSERT INTO ibex.directives
            (org_id, id, agent_id, content, mode, change_summary, created_by, status {columns})
        VALUES (%s, gen_random_uuid(), %s, 'Be brief.', 'system_first', '', 'test', {values})
        RETURNING id
        """.encode(),
        (desk.actor.org_id, desk.agent_id),
    ).fetchone()
    assert row is not None
    return UUID(str(row[0]))


@pytest.mark.parametrize("change", CONTENT)
async def test_what_was_written_never_changes(database: Database, desk: Desk, change: str) -> None:
    await desk.active()
    for dsn, error in (
        (database.service_dsn, errors.InsufficientPrivilege),
        (database.owner_dsn, errors.RestrictViolation),
        (database.superuser_dsn, errors.RestrictViolation),
    ):
        with psycopg.connect(dsn) as connection:
            connection.execute("SELECT set_config('app.current_org_id', %s, true)", (str(desk.actor.org_id),))
            with pytest.raises(error):
                connection.execute(f"UPDATE ibex.directives SET {change}".encode())


@pytest.mark.parametrize("statement", ["DELETE FROM ibex.directives", "TRUNCATE ibex.directives"])
async def test_a_version_is_never_removed(database: Database, desk: Desk, statement: str) -> None:
    await desk.active()
    for dsn in (database.owner_dsn, database.superuser_dsn):
        with psycopg.connect(dsn) as connection:
            connection.execute("SELECT set_config('app.current_org_id', %s, true)", (str(desk.actor.org_id),))
            with pytest.raises(errors.RestrictViolation):
                connection.execute(statement.encode())


def test_a_status_changes_only_as_it_may(service: psycopg.Connection, desk: Desk) -> None:
    paths = {
        "draft": (),
        "review": ("review",),
        "active": ("review", "active"),
        "deprecated": ("review", "active", "deprecated"),
        "revoked": ("revoked",),
    }
    for source in STATUSES:
        for target in STATUSES:
            with service.transaction(force_rollback=True):
                directive_id = insert(service, desk, values="'draft'")
                for step in paths[source]:
                    set_status(service, directive_id, step)
                if source == target or (source, target) in ALLOWED:
                    set_status(service, directive_id, target)
                else:
                    with pytest.raises(errors.RestrictViolation, match=f"{source} does not become {target}"):
                        set_status(service, directive_id, target)


def set_status(connection: psycopg.Connection, directive_id: UUID, status: str) -> None:
    connection.execute("UPDATE ibex.directives SET status = %s WHERE id = %s", (status, directive_id))


@pytest.mark.parametrize("status", ["active", "deprecated", "revoked", "other"])
def test_a_version_begins_as_a_draft_or_in_review(
    service: psycopg.Connection, desk: Desk, status: str
) -> None:
    with pytest.raises((errors.RestrictViolation, errors.CheckViolation)):
        insert(service, desk, values=f"'{status}'")


def test_there_is_one_active_version_and_one_candidate(service: psycopg.Connection, desk: Desk) -> None:
    first, second = (insert(service, desk, values="'review'") for _ in range(2))
    service.execute("UPDATE ibex.directives SET share = 0.5 WHERE id = %s", (first,))
    with pytest.raises(errors.UniqueViolation, match="directives_candidate"), service.transaction():
        service.execute("UPDATE ibex.directives SET share = 0.5 WHERE id = %s", (second,))
    service.execute("UPDATE ibex.directives SET status = 'active', share = NULL WHERE id = %s", (first,))
    with pytest.raises(errors.UniqueViolation, match="directives_active"):
        set_status(service, second, "active")


@pytest.mark.parametrize(
    "change",
    ["share = 1", "share = -0.1", "share = 'NaN'", "share = 0.5, status = 'active'", "kept_until = now()"],
)
def test_a_share_and_what_is_kept_go_with_the_status(
    service: psycopg.Connection, desk: Desk, change: str
) -> None:
    insert(service, desk, values="'review'")
    with pytest.raises(errors.CheckViolation):
        service.execute(f"UPDATE ibex.directives SET {change}".encode())


def test_a_number_is_the_databases_to_give(service: psycopg.Connection, desk: Desk) -> None:
    for columns, values in ((", number", "'draft', 7"), (", sha256", "'draft', sha256('x')")):
        with pytest.raises(errors.InsufficientPrivilege), service.transaction():
            insert(service, desk, columns, values)


@pytest.mark.parametrize("content", ["", "a" * 32_769])
def test_a_text_has_its_size(service: psycopg.Connection, desk: Desk, content: str) -> None:
    with pytest.raises(errors.CheckViolation):
        service.execute(
            """
            INSERT INTO ibex.directives
                (org_id, id, agent_id, content, mode, change_summary, created_by, status)
            VALUES (%s, gen_random_uuid(), %s, %s, 'system_first', '', 'test', 'draft')
            """,
            (desk.actor.org_id, desk.agent_id, content),
        )
