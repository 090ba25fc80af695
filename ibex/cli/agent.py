"""`ibex agent …`."""

import json
from functools import partial

import click

from ibex.auth import Actor, Administration, Agent
from ibex.cli.administer import administer, every, organization, time_text
from ibex.cli.options import as_json, data_dir
from ibex.cli.table import table


@click.group()
def agent() -> None:
    """Create, list, pause and resume agents."""


@agent.command("create")
@click.argument("name")
@click.option("--slug", help="Short name for headers and commands; made from the name by default.")
@click.option("--description", default="", help="What the agent is for.")
@organization
@as_json
@data_dir
@click.pass_context
def create_agent(
    context: click.Context,
    /,
    name: str,
    slug: str | None,
    description: str,
    org: str,
    as_json: bool,
    **options: object,
) -> None:
    """Create an agent, and print its id and slug."""
    created = administer(
        context, org, lambda a, actor: a.agents.create(actor, name, slug, description), **options
    )
    click.echo(json.dumps(_agent_fields(created), indent=2) if as_json else f"{created.id}  {created.slug}")


@agent.command("list")
@organization
@as_json
@data_dir
@click.pass_context
def list_agents(context: click.Context, /, org: str, as_json: bool, **options: object) -> None:
    """List agents."""
    agents = administer(context, org, _all, **options)
    if as_json:
        click.echo(json.dumps([_agent_fields(agent) for agent in agents], indent=2))
        return
    rows = [(str(a.id), a.slug, a.name, a.status) for a in agents]
    click.echo(table(("ID", "SLUG", "NAME", "STATUS"), rows))


@agent.command("pause")
@click.argument("slug")
@organization
@data_dir
@click.pass_context
def pause_agent(context: click.Context, /, slug: str, org: str, **options: object) -> None:
    """Refuse an agent's calls until it is resumed."""

    async def work(administration: Administration, actor: Actor) -> None:
        agent = await administration.agents.find_by_slug(actor.org_id, slug)
        await administration.agents.pause(actor, agent.id)

    administer(context, org, work, **options)
    click.echo(f"Paused {slug}.")


@agent.command("resume")
@click.argument("slug")
@organization
@data_dir
@click.pass_context
def resume_agent(context: click.Context, /, slug: str, org: str, **options: object) -> None:
    """Let a paused agent call again."""

    async def work(administration: Administration, actor: Actor) -> None:
        agent = await administration.agents.find_by_slug(actor.org_id, slug)
        await administration.agents.resume(actor, agent.id)

    administer(context, org, work, **options)
    click.echo(f"Resumed {slug}.")


async def _all(administration: Administration, actor: Actor) -> list[Agent]:
    return await every(partial(administration.agents.page, actor.org_id))


def _agent_fields(agent: Agent) -> dict[str, object]:
    return {
        "id": str(agent.id),
        "slug": agent.slug,
        "name": agent.name,
        "description": agent.description,
        "status": agent.status,
        "created_at": time_text(agent.created_at),
    }
