"""`ibex dead-letters …`."""

import json
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import TypeVar
from uuid import UUID

import click

from ibex.auth import Actor, Administration
from ibex.cli.administer import every, on_database, on_installation, organization, time_text
from ibex.cli.memory.working import actor_in
from ibex.cli.options import as_json, data_dir
from ibex.cli.table import table
from ibex.serving.dependencies import connect_redis
from ibex.serving.servers import Addresses
from ibex.settings import Settings
from ibex.workers import JobQueue
from ibex.workers.dead_letters import DeadLetter, DeadLetterService
from ibex.workers.dead_letters.schemas import DeadLetterView

Result = TypeVar("Result")
Work = Callable[[DeadLetterService, Actor], Awaitable[Result]]
Change = Callable[[DeadLetterService, Actor, UUID], Awaitable[None]]

_name = click.option("--name", help="Only jobs of this name, such as turn.capture.")
_ids = click.argument("ids", metavar="[ID]...", type=click.UUID, nargs=-1)
_all = click.option("--all", "is_for_all", is_flag=True, help="All of them, or all of a name.")


@click.group()
def dead_letters() -> None:
    """See, replay and discard jobs that were given up."""


@dead_letters.command("list")
@_name
@organization
@as_json
@data_dir
@click.pass_context
def list_dead_letters(
    context: click.Context, /, name: str | None, org: str, as_json: bool, **options: object
) -> None:
    """List them in the order in which they were given up."""
    found = _on_letters(context, org, partial(_every, name=name), **options)
    if as_json:
        click.echo(json.dumps([_fields(letter) for letter in found], indent=2))
        return
    rows = [
        (
            str(letter.id),
            letter.name,
            letter.error,
            str(letter.tries),
            time_text(letter.died_at) or "",
        )
        for letter in found
    ]
    click.echo(table(("ID", "NAME", "ERROR", "TRIES", "GIVEN UP"), rows))


@dead_letters.command("show")
@click.argument("letter_id", metavar="ID", type=click.UUID)
@organization
@as_json
@data_dir
@click.pass_context
def show_dead_letter(
    context: click.Context,
    /,
    letter_id: UUID,
    org: str,
    as_json: bool,
    **options: object,
) -> None:
    """Show what is known of one; not what is in its payload, which may be what somebody said."""

    async def work(letters: DeadLetterService, actor: Actor) -> DeadLetter:
        return await letters.get(actor.org_id, letter_id)

    fields = _fields(_on_letters(context, org, work, **options))
    if as_json:
        click.echo(json.dumps(fields, indent=2))
        return
    for field, value in fields.items():
        shown = ", ".join(value) if isinstance(value, list) else value
        click.echo(f"{field:<16} {'' if shown is None else shown}")


@dead_letters.command("replay")
@_ids
@_all
@_name
@organization
@data_dir
@click.pass_context
def replay_dead_letters(
    context: click.Context,
    /,
    ids: tuple[UUID, ...],
    is_for_all: bool,
    name: str | None,
    org: str,
    **options: object,
) -> None:
    """Put jobs back into the queue, with all of their tries."""
    done = _change(context, ids, is_for_all, name, org, DeadLetterService.replay, _is_readable, **options)
    click.echo(f"Replayed {done}.")


@dead_letters.command("discard")
@_ids
@_all
@_name
@click.option("--yes", is_flag=True, help="Do not ask.")
@organization
@data_dir
@click.pass_context
def discard_dead_letters(
    context: click.Context,
    /,
    ids: tuple[UUID, ...],
    is_for_all: bool,
    name: str | None,
    yes: bool,
    org: str,
    **options: object,
) -> None:
    """Forget jobs for good."""
    if is_for_all and not yes:
        click.confirm("Forget them for good?", abort=True)
    done = _change(context, ids, is_for_all, name, org, DeadLetterService.discard, _any, **options)
    click.echo(f"Discarded {done}.")


def _change(
    context: click.Context,
    ids: Sequence[UUID],
    is_for_all: bool,
    name: str | None,
    org: str,
    change: Change,
    is_able: Callable[[DeadLetter], bool],
    **options: object,
) -> int:
    """How many were changed; of all, those that it can be done to."""
    if is_for_all == bool(ids):
        raise click.UsageError("Name dead letters by their ids, or all of them with --all.")
    if ids and name is not None:
        raise click.UsageError("--name is for --all.")

    async def work(letters: DeadLetterService, actor: Actor) -> int:
        wanted = ids or [letter.id for letter in await _every(letters, actor, name) if is_able(letter)]
        for letter_id in wanted:
            await change(letters, actor, letter_id)
        return len(wanted)

    return _on_letters(context, org, work, **options)


def _on_letters(context: click.Context, /, org: str, work: Work[Result], **options: object) -> Result:
    """Do `work` on the dead letters of an organization of this installation."""

    async def on_servers(settings: Settings, addresses: Addresses) -> Result:
        queue = settings.queue_redis_url
        redis = connect_redis(addresses.redis_url if queue is None else queue.get_secret_value())

        async def within(administration: Administration, settings: Settings) -> Result:
            letters = DeadLetterService(administration.postgres, JobQueue(redis))
            return await work(letters, await actor_in(administration, org))

        try:
            return await on_database(settings, addresses, within)
        finally:
            await redis.aclose()

    return on_installation(context, on_servers, **options)


async def _every(letters: DeadLetterService, actor: Actor, name: str | None) -> list[DeadLetter]:
    return await every(partial(letters.page, actor.org_id, name))


def _is_readable(letter: DeadLetter) -> bool:
    return letter.size is not None


def _any(letter: DeadLetter) -> bool:
    return True


def _fields(letter: DeadLetter) -> dict[str, object]:
    """What the REST interface shows of it."""
    return DeadLetterView.of(letter).model_dump(mode="json")
