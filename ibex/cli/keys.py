"""`ibex keys …`: the master keys under which provider keys are sealed."""

import json
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import TypeVar

import click

from ibex.auth import KeyRing, KeyRotation
from ibex.cli.administer import on_installation
from ibex.cli.options import as_json, data_dir
from ibex.cli.table import table
from ibex.serving.dependencies import check_dsn
from ibex.serving.secrets import existing_keys
from ibex.serving.servers import Addresses
from ibex.settings import Settings
from ibex.storage import Postgres

Result = TypeVar("Result")
Work = Callable[[KeyRotation, KeyRing], Awaitable[Result]]


@click.group()
def keys() -> None:
    """List and rotate the master keys that seal provider keys."""


@keys.command("list")
@as_json
@data_dir
@click.pass_context
def list_keys(context: click.Context, /, as_json: bool, **options: object) -> None:
    """List master keys by id. Shown is how many provider keys each seals, and never a key."""

    async def work(rotation: KeyRotation, ring: KeyRing) -> tuple[list[str], Counter[str]]:
        return [key.id for key in ring.all()], await rotation.usage()

    here, used = on_installation(context, _with_rotation(work), **options)
    states = {key_id: "primary" if key_id == here[0] else "older" for key_id in here}
    states |= {key_id: "missing" for key_id in sorted(used) if key_id not in states}
    if as_json:
        rows = [{"id": i, "state": state, "credentials": used[i]} for i, state in states.items()]
        click.echo(json.dumps(rows, indent=2))
        return
    click.echo(table(("ID", "STATE", "CREDENTIALS"), [(i, s, str(used[i])) for i, s in states.items()]))


@keys.command("rotate")
@data_dir
@click.pass_context
def rotate_keys(context: click.Context, /, **options: object) -> None:
    """Seal every provider key under a new master key. IBEX goes on; an interrupted run is continued."""

    async def work(rotation: KeyRotation, ring: KeyRing) -> None:
        rotated = await rotation.run()
        if rotated.is_new:
            click.echo(f"{rotated.primary} is the primary key from now on, in {ring.file}.")
        click.echo(f"Provider keys sealed anew, under {rotated.primary}: {rotated.resealed}.")
        place = str(ring.file) if ring.file is not None else "IBEX_MASTER_KEY"
        for key_id in rotated.unused:
            click.echo(f"{key_id} seals nothing any more: when no backup needs it, remove it from {place}.")
        if not rotated.is_new and not rotated.resealed and ring.file is None:
            click.echo("Nothing was to be done. To rotate, put a new key first in IBEX_MASTER_KEY.")
        if rotated.failures:
            lost = ", ".join(f"{provider} of organization {org_id}" for org_id, provider in rotated.failures)
            raise click.ClickException(f"These cannot be opened and were left as they are: {lost}.")

    on_installation(context, _with_rotation(work), **options)


def _with_rotation(work: Work[Result]) -> Callable[[Settings, Addresses], Awaitable[Result]]:
    async def run(settings: Settings, addresses: Addresses) -> Result:
        check_dsn(addresses.postgres_dsn)
        ring = existing_keys(settings)
        # One connection holds the lock, another does the work.
        postgres = Postgres(addresses.postgres_dsn, connections=2)
        await postgres.open()
        try:
            return await work(KeyRotation(postgres, ring), ring)
        finally:
            await postgres.close()

    return run
