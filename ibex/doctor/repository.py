"""What a database says about itself."""

import time
from dataclasses import dataclass

import psycopg
from psycopg.rows import class_row

_FACTS = """
SELECT
    current_setting('server_version') AS version,
    current_setting('server_version_num')::int AS version_number,
    (SELECT extversion FROM pg_extension WHERE extname = 'vector') AS vector_installed,
    (SELECT default_version FROM pg_available_extensions WHERE name = 'vector') AS vector_available,
    current_setting('max_connections')::int
        - current_setting('superuser_reserved_connections')::int
        - coalesce(current_setting('reserved_connections', true)::int, 0) AS connections,
    session_user::text AS login_role,
    login.rolsuper OR login.rolbypassrls AS login_is_privileged,
    service.rolname IS NOT NULL AS service_exists,
    coalesce(service.rolsuper OR service.rolbypassrls, false) AS service_is_privileged,
    EXISTS (
        SELECT FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
        WHERE n.nspname = 'ibex' AND c.relowner = service.oid
    ) AS service_is_owner,
    coalesce(
        CASE WHEN current_setting('server_version_num')::int >= 160000
            THEN pg_has_role(session_user, service.oid, 'SET')
            ELSE pg_has_role(session_user, service.oid, 'MEMBER')
        END,
        false
    ) AS service_can_be_assumed,
    extract(epoch FROM clock_timestamp())::float8 AS clock
FROM pg_roles AS login
LEFT JOIN pg_roles AS service ON service.rolname = %s
WHERE login.rolname = session_user
"""


@dataclass(frozen=True, slots=True)
class PostgresFacts:
    """A server as it presents itself to one login. `clock` is its Unix time in seconds."""

    version: str
    version_number: int
    vector_installed: str | None
    vector_available: str | None
    connections: int
    login_role: str
    login_is_privileged: bool
    service_exists: bool
    service_is_privileged: bool
    service_is_owner: bool
    service_can_be_assumed: bool
    clock: float


def read_facts(dsn: str, service_role: str) -> tuple[PostgresFacts, float]:
    """The facts, and how many seconds the server's clock is ahead of ours. Raises `psycopg.Error`."""
    with (
        psycopg.connect(dsn, connect_timeout=5, application_name="ibex doctor") as connection,
        connection.cursor(row_factory=class_row(PostgresFacts)) as cursor,
    ):
        before = time.time()
        facts = cursor.execute(_FACTS, (service_role,)).fetchone()
        after = time.time()
    if facts is None:
        raise psycopg.DataError("the role that is logged in is not in pg_roles")
    return facts, facts.clock - (before + after) / 2


def has_fingerprint(dsn: str) -> bool:
    """Whether the database knows which token pepper it belongs to. Raises `psycopg.Error`."""
    with psycopg.connect(dsn, connect_timeout=5, application_name="ibex doctor") as connection:
        exists = connection.execute(
            "SELECT FROM pg_tables WHERE schemaname = 'ibex' AND tablename = 'installation'"
        )
        if exists.fetchone() is None:
            return False
        found = connection.execute("SELECT FROM ibex.installation WHERE name = 'token-pepper-fingerprint'")
        return found.fetchone() is not None
