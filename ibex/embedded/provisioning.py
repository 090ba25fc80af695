"""The roles, the database and the extension that ibex finds in its bundled PostgreSQL."""

from dataclasses import dataclass

DATABASE = "ibex"
OWNER = "ibex_owner"
SERVICE = "ibex_service"


@dataclass(frozen=True, slots=True)
class RolePasswords:
    """The passwords of the two roles that ibex logs in with."""

    owner: str
    service: str


def provision(superuser_dsn: str, database_dsn: str, passwords: RolePasswords) -> None:
    """Create what is missing and correct what differs; may be repeated.

    `superuser_dsn` and `database_dsn` are the superuser's, in the database `postgres` and in `ibex`. Raises
    `psycopg.Error`.
    """
    import psycopg
    from psycopg import sql

    owner, service, database = (sql.Identifier(name) for name in (OWNER, SERVICE, DATABASE))
    with psycopg.connect(superuser_dsn, autocommit=True) as connection:
        for name, password in ((OWNER, passwords.owner), (SERVICE, passwords.service)):
            exists = connection.execute("SELECT FROM pg_roles WHERE rolname = %s", [name]).fetchone()
            connection.execute(
                sql.SQL(
                    "{action} ROLE {name} "
                    "LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE NOREPLICATION PASSWORD {password}"
                ).format(
                    action=sql.SQL("CREATE" if exists is None else "ALTER"),
                    name=sql.Identifier(name),
                    password=sql.Literal(password),
                )
            )
        if connection.execute("SELECT FROM pg_database WHERE datname = %s", [DATABASE]).fetchone() is None:
            connection.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(database, owner))
        connection.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(database))
        connection.execute(sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(database, service))
    with psycopg.connect(database_dsn, autocommit=True) as connection:
        connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
        connection.execute("ALTER EXTENSION vector UPDATE")
