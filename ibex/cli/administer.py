"""How a command works on an installation: on its database, whether it runs or not, as the CLI."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Protocol, TypeVar
from uuid import UUID

import click

from ibex.auth import Actor, Administration, Quota, verify_pepper
from ibex.cli.errors import explained
from ibex.cli.options import settings_from
from ibex.cli.progress import say
from ibex.serving.dependencies import check_dsn, connect_redis
from ibex.serving.secrets import existing_keys, existing_pepper
from ibex.serving.servers import Addresses, Servers
from ibex.settings import Settings
from ibex.storage import Postgres

Result = TypeVar("Result")


class Identified(Protocol):
    @property
    def id(self) -> UUID: ...


Resource = TypeVar("Resource", bound=Identified)
Work = Callable[[Administration, Actor], Awaitable[Result]]

_PAGE = 200


def organization(function: Callable[..., None]) -> Callable[..., None]:
    return click.option("--org", default="default", show_default=True, help="Organization, by slug.")(
        function
    )


def administer(context: click.Context, /, org: str, work: Work[Result], **options: object) -> Result:
    """Do `work` on an organization of this installation."""

    async def within(administration: Administration, settings: Settings) -> Result:
        return await work(administration, await acting_in(administration, org))

    return administer_all(context, within, **options)


async def acting_in(administration: Administration, org: str) -> Actor:
    """The CLI, acting on an organization."""
    found = await administration.organizations.find_by_slug(org)
    if found is None:
        raise click.ClickException(
            f"There is no organization `{org}`. `ibex org list` shows which there are."
        )
    return Actor.local(found, "cli")


def administer_all(
    context: click.Context,
    /,
    work: Callable[[Administration, Settings], Awaitable[Result]],
    **options: object,
) -> Result:
    """Do `work` on all organizations of this installation."""
    return on_installation(
        context, lambda settings, addresses: on_database(settings, addresses, work), **options
    )


def on_installation(
    context: click.Context, /, work: Callable[[Settings, Addresses], Awaitable[Result]], **options: object
) -> Result:
    """Do `work` with the servers of this installation, starting the bundled ones if nothing runs."""
    settings = settings_from(context, **options)
    servers = Servers(settings, say)
    if not servers.have_data():
        raise click.ClickException(
            f"There is no IBEX in {settings.data_dir} yet. Start one with `ibex serve`, "
            "or name its data directory with --data-dir or IBEX_DATA_DIR."
        )
    with explained():
        try:
            addresses = servers.reachable() or _started(settings, servers)
            return asyncio.run(_awaited(work(settings, addresses)))
        finally:
            servers.stop()


def _started(settings: Settings, servers: Servers) -> Addresses:
    """Those of bundled servers, unless processes may serve from this database that would not be told."""
    if settings.postgres_dsn is not None and settings.redis_url is None:
        raise click.ClickException(
            "IBEX_POSTGRES_DSN is given and IBEX_REDIS_URL is not, so no running process could be told of a "
            "change. Give the address that the service has."
        )
    return servers.start()


async def _awaited(work: Awaitable[Result]) -> Result:
    return await work


async def on_database(
    settings: Settings,
    addresses: Addresses,
    work: Callable[[Administration, Settings], Awaitable[Result]],
) -> Result:
    """Do `work` over servers that answer."""
    check_dsn(addresses.postgres_dsn)
    pepper = existing_pepper(settings)
    postgres = Postgres(addresses.postgres_dsn, connections=1)
    changes = connect_redis(addresses.redis_url)
    await postgres.open()
    try:
        await verify_pepper(postgres, pepper)
        administration = Administration.over(
            postgres, changes, pepper, existing_keys(settings), settings.providers, Quota.of(settings)
        )
        return await work(administration, settings)
    finally:
        await changes.aclose()
        await postgres.close()


async def every(page: Callable[[UUID | None, int], Awaitable[Sequence[Resource]]]) -> list[Resource]:
    """All resources of a list that is had page by page."""
    found: list[Resource] = []
    while more := await page(found[-1].id if found else None, _PAGE):
        found += more
    return found


def time_text(moment: datetime | None) -> str | None:
    return moment.isoformat(timespec="seconds") if moment else None
