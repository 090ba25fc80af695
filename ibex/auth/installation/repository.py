"""The SQL of values that the installation as a whole keeps."""

from psycopg.rows import tuple_row

from ibex.storage import Connection, Postgres


async def installation_value(connection: Connection, name: str, value: str) -> str:
    """The value kept under a name; the first one to be offered stays."""
    await connection.execute(
        "INSERT INTO ibex.installation (name, value) VALUES (%s, %s) ON CONFLICT (name) DO NOTHING",
        (name, value),
    )
    cursor = await connection.execute("SELECT value FROM ibex.installation WHERE name = %s", (name,))
    row = await cursor.fetchone()
    return str(row[0]) if row else value


async def has_installation_value(postgres: Postgres, name: str) -> bool:
    """Whether a value is kept under a name."""
    rows = await postgres.fetch_all(
        None, "SELECT name FROM ibex.installation WHERE name = %s", (name,), row=tuple_row
    )
    return bool(rows)
