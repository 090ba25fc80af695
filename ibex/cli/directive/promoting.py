"""`ibex directive submit`, `promote`, `abort`, `rollback` and `revoke`."""

from collections.abc import Awaitable, Callable
from uuid import UUID

import click

from ibex.auth import Actor
from ibex.cli.administer import organization
from ibex.cli.directive.working import NUMBER, agent, on_directives, told
from ibex.cli.options import data_dir
from ibex.context.directives import Directive, DirectiveService

Change = Callable[[DirectiveService, Actor, UUID], Awaitable[Directive]]


@click.command("submit")
@click.argument("number", type=NUMBER)
@agent
@organization
@data_dir
@click.pass_context
def submit_directive(context: click.Context, /, number: int, agent: str, org: str, **options: object) -> None:
    """Ask for a draft to be looked at."""
    _change(context, number, agent, org, lambda d, actor, one: d.submit(actor, one), **options)


@click.command("promote")
@click.argument("number", type=NUMBER)
@agent
@click.option(
    "--share",
    type=click.FloatRange(0, 1),
    default=1.0,
    help="Roll it out to this share of the sessions that begin, such as 0.1; to all of them by default.",
)
@click.option("--at-once", is_flag=True, help="Running sessions change too.")
@organization
@data_dir
@click.pass_context
def promote_directive(
    context: click.Context,
    /,
    number: int,
    agent: str,
    share: float,
    at_once: bool,
    org: str,
    **options: object,
) -> None:
    """Make a version the active one, or roll it out to a share of the sessions."""

    async def promote(directives: DirectiveService, actor: Actor, directive_id: UUID) -> Directive:
        return await directives.promote(actor, directive_id, share, at_once=at_once)

    _change(context, number, agent, org, promote, **options)


@click.command("abort")
@click.argument("number", type=NUMBER)
@agent
@organization
@data_dir
@click.pass_context
def abort_rollout(context: click.Context, /, number: int, agent: str, org: str, **options: object) -> None:
    """End a rollout; sessions that have the version leave it at once."""
    _change(context, number, agent, org, lambda d, actor, one: d.abort(actor, one), **options)


@click.command("rollback")
@agent
@click.option("--to", type=NUMBER, help="The number of a version; the one before by default.")
@organization
@data_dir
@click.pass_context
def roll_back_directive(
    context: click.Context, /, agent: str, to: int | None, org: str, **options: object
) -> None:
    """Make an earlier version active again, for running sessions too."""
    found = on_directives(
        context, org, agent, lambda d, actor, agent_id: d.roll_back(actor, agent_id, to), **options
    )
    click.echo(told(found))


@click.command("revoke")
@click.argument("number", type=NUMBER)
@agent
@organization
@data_dir
@click.pass_context
def revoke_directive(context: click.Context, /, number: int, agent: str, org: str, **options: object) -> None:
    """Never use a version again; sessions that have it leave it within a second."""

    async def work(
        directives: DirectiveService, actor: Actor, agent_id: UUID
    ) -> tuple[Directive, int | None]:
        wanted = await directives.get_number(actor, agent_id, number)
        revoked = await directives.revoke(actor, wanted.id)
        active = (await directives.rollout(actor, agent_id)).active
        return revoked, None if active is None else active.number

    revoked, active = on_directives(context, org, agent, work, **options)
    click.echo(told(revoked))
    click.echo("The agent has no directive now." if active is None else f"Version {active} is active.")


def _change(
    context: click.Context, /, number: int, agent: str, org: str, change: Change, **options: object
) -> None:
    async def work(directives: DirectiveService, actor: Actor, agent_id: UUID) -> Directive:
        wanted = await directives.get_number(actor, agent_id, number)
        return await change(directives, actor, wanted.id)

    click.echo(told(on_directives(context, org, agent, work, **options)))
