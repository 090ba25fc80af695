"""Applies the numbered migrations of ClickHouse. Each may be applied twice, as nothing keeps replicas apart.

ClickHouse has no transactions over several statements: one that was interrupted is applied from its start.
"""

import re

from ibex.storage.clickhouse import ClickHouse, ClickHouseError
from ibex.storage.migrations import MigrationError, directory
from ibex.storage.postgres import DatabaseUnavailableError

_LEDGER = """
CREATE TABLE IF NOT EXISTS ibex_migrations (number UInt32, applied_at DateTime DEFAULT now())
ENGINE = ReplacingMergeTree ORDER BY number
"""
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")


def statements() -> dict[int, list[str]]:
    """The statements of each migration, by its number, in order."""
    files = sorted((directory().parent / "clickhouse").glob("[0-9]*.sql"))
    return {
        int(file.name.partition("_")[0]): [
            each.strip() for each in file.read_text().split(";\n") if each.strip()
        ]
        for file in files
    }


async def migrate_clickhouse(clickhouse: ClickHouse) -> tuple[int, int]:
    """Bring a database to the newest number and return the numbers before and after.

    Makes the database if it is not there. Raises `MigrationError`.
    """
    known = statements()
    if not _NAME.fullmatch(clickhouse.database):
        raise MigrationError("The database in `clickhouse_url` has letters, digits, `_` and `-` only.")
    try:
        await clickhouse.execute(f"CREATE DATABASE IF NOT EXISTS `{clickhouse.database}`", database=False)
        await clickhouse.execute(_LEDGER)
        [row] = await clickhouse.fetch("SELECT max(number) AS number FROM ibex_migrations")
        before = int(row["number"])
        if before > max(known):
            raise MigrationError(
                f"ClickHouse is at migration {before}, newer than this version of IBEX ({max(known)}) knows. "
                "Install the newer version."
            )
        for number in sorted(known):
            if number > before:
                for statement in known[number]:
                    await clickhouse.execute(statement)
                await clickhouse.execute(
                    "INSERT INTO ibex_migrations (number) SELECT {number:UInt32}", number=number
                )
    except (ClickHouseError, DatabaseUnavailableError) as error:
        raise MigrationError(
            f"ClickHouse cannot be migrated: {error}. Check `clickhouse_url`, and that its user may create "
            "tables there."
        ) from error
    return before, max(known)
