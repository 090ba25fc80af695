"""`ibex session …`."""

from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import BinaryIO, TypeVar

import click

from ibex.app.archive import object_store, session_archive
from ibex.archive import OrphanedObjects, SessionContents
from ibex.auth import Actor, Administration
from ibex.cli.administer import acting_in, administer_all, organization
from ibex.cli.options import data_dir
from ibex.settings import Settings
from ibex.storage.objects import ObjectStoreError

Result = TypeVar("Result")
Work = Callable[[SessionContents, Administration, Actor], Awaitable[Result]]

agent = click.option("--agent", default="default", show_default=True, help="Whose session, by id or slug.")


@click.group()
def session() -> None:
    """Look at what was said in sessions, if the organization stores content."""


@session.command("content")
@click.argument("session_id")
@click.argument("file", type=click.File("wb"), default="-")
@agent
@organization
@data_dir
@click.pass_context
def read_content(
    context: click.Context, /, session_id: str, file: BinaryIO, agent: str, org: str, **options: object
) -> None:
    """Write what was said in a session as lines of JSON, to the terminal unless a FILE is named.

    It does not matter whether the session is archived.
    """

    async def work(sessions: SessionContents, administration: Administration, actor: Actor) -> None:
        agent_id = (await administration.agents.resolve(actor.org_id, agent)).id
        async for block in await sessions.begin(actor, agent_id, session_id):
            file.write(block)
        file.flush()

    _on_sessions(context, org, work, **options)


@session.command("forget")
@click.argument("session_id")
@click.option("--yes", is_flag=True, help="Do not ask.")
@agent
@organization
@data_dir
@click.pass_context
def forget_content(
    context: click.Context, /, session_id: str, yes: bool, agent: str, org: str, **options: object
) -> None:
    """Remove what was said in a session, and its archives, for good."""
    if not yes:
        click.confirm(f"Remove what was said in {session_id}?", abort=True, err=True)

    async def work(sessions: SessionContents, administration: Administration, actor: Actor) -> None:
        agent_id = (await administration.agents.resolve(actor.org_id, agent)).id
        await sessions.remove(actor, agent_id, session_id)

    _on_sessions(context, org, work, **options)
    click.echo(f"What was said in {session_id} is gone.")


@session.command("verify")
@organization
@data_dir
@click.pass_context
def verify_archives(context: click.Context, /, org: str, **options: object) -> None:
    """Read every archive of an organization, and say which are damaged or missing."""

    async def work(sessions: SessionContents, administration: Administration, actor: Actor) -> Counter[str]:
        found: Counter[str] = Counter()
        async for each in sessions.examine(actor.org_id):
            found[each.condition] += 1
            if each.condition != "good":
                click.echo(f"{each.condition}: {each.object_key} of session {each.session_id}")
        return found

    found = _on_sessions(context, org, work, **options)
    click.echo(f"{found['good']} good, {found['damaged']} damaged, {found['missing']} missing.")
    if found["damaged"] or found["missing"]:
        raise click.exceptions.Exit(1)


@session.command("orphans")
@click.option("--dry-run", is_flag=True, help="Only say how many there are.")
@data_dir
@click.pass_context
def remove_orphans(context: click.Context, /, dry_run: bool, **options: object) -> None:
    """Remove objects that belong to no archive, a day after they were written.

    An archiving that was interrupted leaves one, and so does an older backup of the database.
    """

    async def work(administration: Administration, settings: Settings) -> int:
        with _explained():
            return await OrphanedObjects(administration.postgres, object_store(settings)).run(dry_run)

    removed = administer_all(context, work, **options)
    click.echo(f"{removed:,} objects {'would go' if dry_run else 'are gone'}.")


def _on_sessions(context: click.Context, /, org: str, work: Work[Result], **options: object) -> Result:
    async def within(administration: Administration, settings: Settings) -> Result:
        postgres = administration.postgres
        with _explained():
            objects = object_store(settings)
            sessions = SessionContents(postgres, objects, session_archive(settings, postgres, objects))
            return await work(sessions, administration, await acting_in(administration, org))

    return administer_all(context, within, **options)


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except ObjectStoreError as error:
        raise click.ClickException(f"{str(error)[:1].upper()}{str(error)[1:]}.") from error
