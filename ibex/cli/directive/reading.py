"""`ibex directive list`, `show` and `diff`."""

import json
from functools import partial
from uuid import UUID

import click

from ibex.auth import Actor
from ibex.cli.administer import every, organization, time_text
from ibex.cli.directive.working import NUMBER, agent, fields, on_directives
from ibex.cli.options import as_json, data_dir
from ibex.cli.progress import say
from ibex.cli.table import table
from ibex.context.directives import Comparison, Directive, DirectiveEntry, DirectiveService

_LONGEST_SUMMARY = 60


@click.command("list")
@agent
@organization
@as_json
@data_dir
@click.pass_context
def list_directives(
    context: click.Context, /, agent: str, org: str, as_json: bool, **options: object
) -> None:
    """List the versions of an agent's directive, without their texts."""

    async def work(directives: DirectiveService, actor: Actor, agent_id: UUID) -> list[DirectiveEntry]:
        return await every(partial(directives.page, actor, agent_id, None))

    found = on_directives(context, org, agent, work, **options)
    if as_json:
        click.echo(json.dumps([fields(entry) for entry in found], indent=2, ensure_ascii=False))
        return
    rows = [
        (
            str(entry.number),
            entry.status,
            "" if entry.share is None else f"{entry.share:.4g}",
            time_text(entry.created_at) or "",
            _short(entry.change_summary),
        )
        for entry in found
    ]
    click.echo(table(("NUMBER", "STATUS", "SHARE", "CREATED", "CHANGE"), rows))


@click.command("show")
@click.argument("number", type=NUMBER, required=False)
@agent
@organization
@as_json
@data_dir
@click.pass_context
def show_directive(
    context: click.Context, /, number: int | None, agent: str, org: str, as_json: bool, **options: object
) -> None:
    """Print the text of a version; of the active one by default."""

    async def work(directives: DirectiveService, actor: Actor, agent_id: UUID) -> Directive:
        if number is not None:
            return await directives.get_number(actor, agent_id, number)
        active = (await directives.rollout(actor, agent_id)).active
        if active is None:
            raise click.ClickException("The agent has no active directive.")
        return await directives.get(actor, active.id)

    found = on_directives(context, org, agent, work, **options)
    if as_json:
        click.echo(json.dumps(fields(found), indent=2, ensure_ascii=False))
    else:
        click.echo(found.content, nl=not found.content.endswith("\n"))


@click.command("diff")
@click.argument("number", type=NUMBER)
@click.argument("against", type=NUMBER, required=False)
@agent
@organization
@data_dir
@click.pass_context
def diff_directives(
    context: click.Context, /, number: int, against: int | None, agent: str, org: str, **options: object
) -> None:
    """Print what a version says that another one does not; the one before it by default."""

    async def work(directives: DirectiveService, actor: Actor, agent_id: UUID) -> Comparison:
        wanted = await directives.get_number(actor, agent_id, number)
        other = None if against is None else await directives.get_number(actor, agent_id, against)
        return await directives.compare(actor, wanted.id, None if other is None else other.id)

    difference = on_directives(context, org, agent, work, **options).difference
    if not difference.text:
        say("They say the same.")
    click.echo(difference.text, nl=False)


def _short(summary: str) -> str:
    line = " ".join(summary.split())
    return line if len(line) <= _LONGEST_SUMMARY else f"{line[: _LONGEST_SUMMARY - 1]}…"
