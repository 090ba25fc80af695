"""How a command works on memories: with the parts of the memory module, over servers that answer."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

import click

import ibex
from ibex.auth import Actor, Administration
from ibex.cli.administer import on_database, on_installation
from ibex.memory import MemoryParts
from ibex.serving.servers import Addresses
from ibex.settings import Settings
from ibex.storage import connect

Result = TypeVar("Result")
Work = Callable[[MemoryParts, Actor], Awaitable[Result]]
WorkOnAll = Callable[[MemoryParts, Administration, Addresses], Awaitable[Result]]

# Seconds for a command to Redis.
_PATIENCE = 2.0


def on_memories(context: click.Context, /, org: str, work: Work[Result], **options: object) -> Result:
    """Do `work` on the memories of an organization of this installation."""

    async def of_one(parts: MemoryParts, administration: Administration, addresses: Addresses) -> Result:
        return await work(parts, await actor_in(administration, org))

    return on_all_memories(context, of_one, **options)


def on_all_memories(context: click.Context, /, work: WorkOnAll[Result], **options: object) -> Result:
    """Do `work` on the memories of any organization of this installation."""

    async def on_servers(settings: Settings, addresses: Addresses) -> Result:
        redis = connect(addresses.redis_url, timeout=_PATIENCE)

        async def within(administration: Administration, settings: Settings) -> Result:
            postgres = administration.postgres
            parts = MemoryParts(
                settings, postgres, postgres, redis, administration.agents, f"ibex/{ibex.__version__}"
            )
            try:
                return await work(parts, administration, addresses)
            finally:
                await parts.close()

        try:
            return await on_database(settings, addresses, within)
        finally:
            await redis.aclose()

    return on_installation(context, on_servers, **options)


async def actor_in(administration: Administration, org: str) -> Actor:
    """The command line, acting in an organization. Raises `ClickException` when there is no such slug."""
    found = await administration.organizations.find_by_slug(org)
    if found is None:
        raise click.ClickException(
            f"There is no organization `{org}`. `ibex org list` shows which there are."
        )
    return Actor.local(found, "cli")
