"""`ibex keys …`: the master keys under which provider keys and secrets of webhooks are sealed."""

import json
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import TypeVar

import click

from ibex.auth import PROVIDER_KEYS, KeyRing, KeyRotation
from ibex.cli.administer import on_installation
from ibex.cli.options import as_json, data_dir
from ibex.cli.table import table
from ibex.notifications import WEBHOOK_SECRETS
from ibex.serving.dependencies import check_dsn
from ibex.serving.secrets import existing_keys
from ibex.serving.servers import Addresses
from ibex.settings import Settings
from ibex.storage import Postgres

Result = TypeVar("Result")
Work = Callable[[KeyRotation, KeyRing], Awaitable[Result]]


@click.group()
def keys() -> None:
    """List and rotate the master keys that seal provider keys and secrets of webhooks."""


@keys.command("list")
@as_json
@data_dir
@click.pass_context
def list_keys(context: click.Context, /, as_json: bool, **options: object) -> None:
    """List master keys by id. Shown is how many secrets each seals, and never a key."""

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
    """Seal everything under a new master key. IBEX goes on; an interrupted run is continued."""

    async def work(rotation: KeyRotation, ring: KeyRing) -> None:
        rotated = await rotation.run()
        if rotated.is_new:
            click.echo(f"{rotated.primary} is the primary key from now on, in {ring.file}.")
        click.echo(
            "Provider keys sealed anew, with secrets of webhooks, "
            f"under {rotated.primary}: {rotated.resealed}."
        )
        place = str(ring.file) if ring.file is not None else "IBEX_MASTER_KEY"
        for key_id in rotated.unused:
            click.echo(f"{key_id} seals nothing any more: when no backup needs it, remove it from {place}.")
        if not rotated.is_new and not rotated.resealed and ring.file is None:
            click.echo("Nothing was to be done. To rotate, put a new key first in IBEX_MASTER_KEY.")
        if rotated.failures:
            lost = ", ".join(f"{name} of organization {org_id}" for org_id, name in rotated.failures)
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
            return await work(KeyRotation(postgres, ring, (PROVIDER_KEYS, WEBHOOK_SECRETS)), ring)
        finally:
            await postgres.close()

    return run
