"""ClickHouse at a start: brought up to date if it is there, waited for by the jobs if it is not."""

from ibex.serving.servers import Report
from ibex.settings import Settings
from ibex.storage import ClickHouse, DatabaseUnavailableError
from ibex.storage.clickhouse_migrations import migrate_clickhouse
from ibex.storage.migrations import MigrationError


async def prepare_clickhouse(settings: Settings, report: Report, *, required: bool = False) -> None:
    """Does nothing when none is configured. Raises `MigrationError` for one that refuses.

    Parameters
    ----------
    required: whether one that is away is an error too.
    """
    if settings.clickhouse_url is None:
        return
    clickhouse = ClickHouse(
        settings.clickhouse_url.get_secret_value(), timeout=settings.clickhouse_timeout_seconds
    )
    try:
        before, after = await migrate_clickhouse(clickhouse)
    except MigrationError as error:
        if required or not isinstance(error.__cause__, DatabaseUnavailableError):
            raise
        report(f"{error} IBEX starts without it: traces wait until it is back.")
    else:
        if before != after:
            report(f"ClickHouse brought from {before} to {after}.")
    finally:
        await clickhouse.close()
