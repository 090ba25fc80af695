"""No row of one organization is within reach of another, and the catalogue shows why."""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

import psycopg
import pytest
from psycopg import Connection, errors, sql

from ibex.ids import uuid7
from tests.fixtures import Database
from tests.security.catalogue import granted, holes, privileges, tenant_tables
from tests.security.tenants import Tenant, insert

ADA, BOB = "canary-of-ada", "canary-of-bob"
REMOVABLE = (
    "dead_letters",
    "drift_blocks",
    "drift_fingerprints",
    "outbox",
    "provider_credentials",
    "limit_notices",
    "limit_overrides",
    "memories",
    "memory_claims",
    "memory_embeddings",
    "memory_labels",
    "memory_relations",
    "session_archives",
    "session_contents",
    "webhook_deliveries",
    "webhook_secrets",
    "webhooks",
)


@contextmanager
def service(database: Database, org_id: UUID | None) -> Iterator[Connection]:
    """A transaction of the service for one organization, or for none; it is rolled back at the end."""
    with psycopg.connect(database.service_dsn) as connection:
        if org_id is not None:
            connection.execute("SELECT set_config('app.current_org_id', %s, true)", (str(org_id),))
        yield connection
        connection.rollback()


@contextmanager
def superuser(database: Database) -> Iterator[Connection]:
    with psycopg.connect(database.superuser_dsn, autocommit=True) as connection:
        yield connection


@pytest.fixture
def ada(database: Database) -> Tenant:
    tenant = Tenant(ADA)
    with superuser(database) as connection:
        tenant.insert(connection)
    return tenant


@pytest.fixture
def bob(database: Database) -> Tenant:
    tenant = Tenant(BOB)
    with superuser(database) as connection:
        tenant.insert(connection)
    return tenant


def test_the_schema_has_no_hole(database: Database) -> None:
    with superuser(database) as connection:
        assert holes(connection) == []


def test_the_walk_finds_every_tenant_table(database: Database) -> None:
    with superuser(database) as connection:
        assert set(tenant_tables(connection)) == set(Tenant("x").tables())


def test_the_service_may_do_what_it_has_been_granted_on_purpose_and_nothing_else(database: Database) -> None:
    with superuser(database) as connection:
        assert privileges(connection) == granted()


@pytest.mark.parametrize(
    ("damage", "finding"),
    [
        ("CREATE TABLE ibex.notes (org_id uuid)", "notes: row security is not enabled"),
        ("CREATE TABLE ibex.notes (org_id uuid)", "notes: no policy"),
        ("ALTER TABLE ibex.agents NO FORCE ROW LEVEL SECURITY", "agents: row security is not forced"),
        ("ALTER TABLE ibex.organizations DISABLE ROW LEVEL SECURITY", "organizations: row security is not"),
        ("DROP POLICY tenant ON ibex.tokens", "tokens: no policy"),
        ("CREATE POLICY open ON ibex.users USING (true)", "users: policy open"),
        ("CREATE POLICY open ON ibex.users FOR SELECT TO ibex_service USING (true)", "users: policy open"),
        ("ALTER POLICY tenant ON ibex.users WITH CHECK (true)", "users: policy tenant"),
        ("ALTER POLICY lookup ON ibex.tokens TO ibex_service", "tokens: policy lookup"),
        ("CREATE VIEW ibex.everything AS SELECT * FROM ibex.tokens", "everything: a view"),
        ("CREATE MATERIALIZED VIEW ibex.copy AS SELECT * FROM ibex.tokens", "copy: a view"),
        ("ALTER TABLE ibex.users OWNER TO ibex_service", "ibex_service owns r users"),
        ("GRANT ibex_owner TO ibex_service", "ibex_service may act as ibex_owner"),
        ("GRANT postgres TO ibex_service WITH INHERIT FALSE", "ibex_service may act as postgres"),
        ("GRANT pg_read_all_data TO ibex_service", "ibex_service may act as pg_read_all_data"),
        ("ALTER ROLE ibex_service BYPASSRLS", "ibex_service may act as ibex_service"),
        ("ALTER ROLE ibex_service SUPERUSER", "ibex_service may act as ibex_service"),
        ("GRANT DELETE ON ibex.users TO ibex_service", "privilege: users DELETE"),
        ("GRANT DELETE ON ibex.organizations TO ibex_service", "privilege: organizations DELETE"),
        ("GRANT TRUNCATE ON ibex.limit_overrides TO ibex_service", "privilege: limit_overrides TRUNCATE"),
        ("GRANT UPDATE ON ibex.audit_chains TO ibex_service", "privilege: audit_chains UPDATE"),
        ("GRANT UPDATE ON ibex.session_turns TO ibex_service", "privilege: session_turns UPDATE"),
        ("GRANT SELECT ON ibex.changes TO ibex_service", "privilege: changes SELECT"),
        ("GRANT SELECT ON ibex.traces_default TO ibex_service", "privilege: traces_default SELECT"),
        ("DROP POLICY tenant ON ibex.traces", "traces: no policy"),
        ("GRANT INSERT ON ibex.erasures TO ibex_service", "privilege: erasures INSERT"),
        ("GRANT TRUNCATE ON ibex.users TO ibex_service", "privilege: users TRUNCATE"),
        ("GRANT REFERENCES ON ibex.users TO PUBLIC", "privilege: users REFERENCES"),
        ("GRANT UPDATE (permissions) ON ibex.tokens TO ibex_service", "privilege: tokens UPDATE permissions"),
        ("GRANT INSERT ON ibex.tokens TO ibex_service", "privilege: tokens INSERT"),
        ("GRANT SELECT ON ibex.users TO ibex_service WITH GRANT OPTION", "users SELECT to pass on"),
        ("CREATE TABLE ibex.notes (); GRANT SELECT ON ibex.notes TO ibex_service", "privilege: notes SELECT"),
        (
            "GRANT EXECUTE ON FUNCTION ibex.chain_audit_event TO ibex_service",
            "privilege: function chain_audit_event()",
        ),
        ("GRANT CREATE ON SCHEMA ibex TO ibex_service", "privilege: schema ibex CREATE"),
        ("GRANT EXECUTE ON FUNCTION ibex.find_organization TO PUBLIC", "find_organization(text): everybody"),
        ("ALTER FUNCTION ibex.find_organization RESET search_path", "find_organization(text): its search"),
        (
            "CREATE TABLE ibex.notes (org_id uuid, token_id uuid REFERENCES ibex.tokens (id))",
            "ibex.notes notes_token_id_fkey: a reference without org_id",
        ),
    ],
)
def test_the_walk_reports_damage(database: Database, damage: str, finding: str) -> None:
    with psycopg.connect(database.superuser_dsn) as connection:
        connection.execute(damage.encode())
        assert any(finding in hole for hole in holes(connection)), holes(connection)
        connection.rollback()


def test_each_organization_sees_its_own_rows_only(database: Database, ada: Tenant, bob: Tenant) -> None:
    for mine, other in ((ada, bob), (bob, ada)):
        with service(database, mine.id) as connection:
            for table in mine.tables():
                [row] = _everything_in(connection, table)
                assert str(mine.id) in row
                assert (mine.canary in row) == (table in mine.marked())
                assert other.canary not in row
                assert str(other.id) not in row


def test_without_an_organization_nothing_is_seen(database: Database, ada: Tenant) -> None:
    with service(database, None) as connection:
        for table in ada.tables():
            assert _everything_in(connection, table) == []
        connection.execute("SELECT set_config('app.current_org_id', '', true)")
        for table in ada.tables():
            assert _everything_in(connection, table) == []


def test_what_is_no_organization_is_an_error_and_not_everything(database: Database, ada: Tenant) -> None:
    with service(database, None) as connection:
        connection.execute("SELECT set_config('app.current_org_id', '%', true)")
        with pytest.raises(errors.InvalidTextRepresentation):
            connection.execute("SELECT * FROM ibex.agents")


def test_rows_cannot_be_written_for_another_organization(
    database: Database, ada: Tenant, bob: Tenant
) -> None:
    foreign = Tenant("forged", id=bob.id, agent_id=bob.agent_id, user_id=uuid7())
    for table, row in foreign.rows().items():
        if table == "organizations":
            row = {**row, "id": uuid7()}
        with (
            service(database, ada.id) as connection,
            pytest.raises(errors.InsufficientPrivilege, match="row-level security"),
        ):
            insert(connection, table, row)


CHANGED_BY = {
    "organizations": "status = status",
    "users": "status = status",
    "agents": "status = status",
    "tokens": "revoked_at = now()",
    "sessions": "status = status",
    "provider_credentials": "updated_at = now()",
    "limit_overrides": "updated_at = now()",
    "memory_partitions": "revision = revision + 1",
    "memories": "status = status",
    "memory_conflicts": "status = status",
    "memory_embeddings": "version = version",
    "directives": "status = status",
}


@pytest.mark.parametrize("table", CHANGED_BY)
def test_rows_of_another_organization_cannot_be_changed_or_taken(
    database: Database, ada: Tenant, bob: Tenant, table: str
) -> None:
    key = sql.Identifier("id" if table == "organizations" else "org_id")
    name = sql.Identifier("ibex", table)
    with service(database, ada.id) as connection:
        update = sql.SQL("UPDATE {} SET " + CHANGED_BY[table] + " WHERE {} = %s")
        assert connection.execute(update.format(name, key), (bob.id,)).rowcount == 0
        assert connection.execute(update.format(name, key), (ada.id,)).rowcount == 1
        with pytest.raises(errors.InsufficientPrivilege, match=r"row-level security|permission denied"):
            connection.execute(sql.SQL("UPDATE {} SET {} = %s").format(name, key), (bob.id,))


def test_a_reference_into_another_organization_is_refused(
    database: Database, ada: Tenant, bob: Tenant
) -> None:
    stolen = {**ada.rows()["tokens"], "id": uuid7(), "agent_id": bob.agent_id}
    with service(database, ada.id) as connection, pytest.raises(errors.ForeignKeyViolation):
        insert(connection, "tokens", stolen)


@pytest.mark.parametrize("statement", ["DELETE FROM {}", "TRUNCATE {} CASCADE", "DROP TABLE {}"])
def test_the_service_can_remove_hardly_anything(database: Database, ada: Tenant, statement: str) -> None:
    """Not even while it says that it is erasing, as the one function does that may."""
    for table in (*ada.tables(), "changes", "erasures"):
        if table in REMOVABLE and statement.startswith("DELETE"):
            continue
        with service(database, ada.id) as connection:
            connection.execute("SELECT set_config('ibex.erasing', 'yes', true)")
            with pytest.raises(errors.InsufficientPrivilege):
                connection.execute(sql.SQL(statement).format(sql.Identifier("ibex", table)))


@pytest.mark.parametrize("table", REMOVABLE)
def test_what_can_be_removed_is_ones_own(database: Database, ada: Tenant, bob: Tenant, table: str) -> None:
    name = sql.Identifier("ibex", table)
    with service(database, ada.id) as connection:
        foreign = sql.SQL("DELETE FROM {} WHERE org_id = %s").format(name)
        assert connection.execute(foreign, (bob.id,)).rowcount == 0
        assert connection.execute(sql.SQL("DELETE FROM {}").format(name)).rowcount == 1
    with service(database, bob.id) as connection:
        assert len(_everything_in(connection, table)) == 1


def test_a_chain_is_written_by_its_trigger_only(database: Database, ada: Tenant) -> None:
    with service(database, ada.id) as connection, pytest.raises(errors.InsufficientPrivilege):
        connection.execute("UPDATE ibex.audit_chains SET number = 0")


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE ibex.mine ()",
        "CREATE TABLE public.mine ()",
        "CREATE SCHEMA mine",
        "ALTER TABLE ibex.agents DISABLE ROW LEVEL SECURITY",
        "ALTER TABLE ibex.session_turns DISABLE TRIGGER append_only",
        "CREATE POLICY mine ON ibex.agents USING (true)",
        "DROP POLICY tenant ON ibex.agents",
        "CREATE OR REPLACE FUNCTION ibex.refuse_change() RETURNS trigger LANGUAGE sql AS ''",
        "SET ROLE ibex_owner",
        "SET ROLE postgres",
        "SET SESSION AUTHORIZATION postgres",
        "ALTER ROLE ibex_service BYPASSRLS",
        "SET session_replication_role = replica",
        "COPY ibex.agents TO PROGRAM 'cat'",
        "SELECT pg_read_file('/etc/passwd')",
        "UPDATE ibex.alembic_version SET version_num = '9999'",
        "UPDATE ibex.installation SET value = 'other'",
        "SELECT 1 FROM ibex.changes",
        "INSERT INTO ibex.changes (number, kind, subject) VALUES (1, 'token', gen_random_uuid())",
        "SELECT 1 FROM ibex.erasures",
        "INSERT INTO ibex.erasures (organization) VALUES (gen_random_uuid())",
        "SELECT ibex.chain_audit_event()",
    ],
)
def test_the_service_cannot_change_the_rules(database: Database, statement: str) -> None:
    with service(database, None) as connection, pytest.raises(errors.InsufficientPrivilege):
        connection.execute(statement.encode())


def test_turning_row_security_off_is_an_error_and_not_a_way_round(database: Database, ada: Tenant) -> None:
    with service(database, None) as connection:
        connection.execute("SET row_security = off")
        with pytest.raises(errors.InsufficientPrivilege, match="row-level security"):
            connection.execute("SELECT * FROM ibex.agents")


@pytest.mark.parametrize("table", ["session_turns", "audit_events", "memory_versions"])
def test_what_is_append_only_stays(database: Database, ada: Tenant, table: str) -> None:
    for statement in ("UPDATE {} SET org_id = org_id", "DELETE FROM {}", "TRUNCATE {}"):
        query = sql.SQL(statement).format(sql.Identifier("ibex", table))
        with service(database, ada.id) as connection, pytest.raises(errors.InsufficientPrivilege):
            connection.execute(query)
        for dsn in (database.owner_dsn, database.superuser_dsn):
            with psycopg.connect(dsn) as connection:
                connection.execute("SELECT set_config('app.current_org_id', %s, true)", (str(ada.id),))
                with pytest.raises(errors.RestrictViolation, match="append-only"):
                    connection.execute(query)


def test_the_owner_too_sees_one_organization_at_a_time(database: Database, ada: Tenant, bob: Tenant) -> None:
    with psycopg.connect(database.owner_dsn) as connection:
        for table in ("sessions", "session_turns", "audit_events", "audit_chains", "limit_overrides"):
            assert _everything_in(connection, table) == []


def test_the_look_ups_answer_with_one_row(database: Database, ada: Tenant, bob: Tenant) -> None:
    with service(database, None) as connection:
        organizations = connection.execute("SELECT * FROM ibex.find_organization(%s)", (ADA,)).fetchall()
        principals = connection.execute(
            "SELECT org_id, agent_slug FROM ibex.find_principal(%s, NULL, NULL)", (ada.token_id,)
        ).fetchall()
        foreign = connection.execute(
            "SELECT org_id, agent_id FROM ibex.find_principal(%s, %s, NULL)", (ada.token_id, bob.agent_id)
        ).fetchall()
    assert [row[0] for row in organizations] == [ada.id]
    assert principals == [(ada.id, ADA)]
    assert foreign == [(ada.id, None)]


def test_the_look_ups_cannot_be_led_astray_by_a_table_of_the_caller(database: Database, ada: Tenant) -> None:
    with service(database, None) as connection:
        connection.execute("SELECT set_config('search_path', 'pg_temp, ibex', true)")
        try:
            connection.execute("CREATE TEMPORARY TABLE organizations (id uuid, slug text)")
        except errors.InsufficientPrivilege:
            return
        assert len(connection.execute("SELECT * FROM ibex.find_organization(%s)", (ADA,)).fetchall()) == 1


def _everything_in(connection: Connection, table: str) -> list[str]:
    """Each row as text, byte strings decoded."""
    rows = connection.execute(sql.SQL("SELECT * FROM {}").format(sql.Identifier("ibex", table))).fetchall()
    return [" ".join(_text(value) for value in row) for row in rows]


def _text(value: object) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)
