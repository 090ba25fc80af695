"""`ibex directive create`."""

import json
from typing import BinaryIO
from uuid import UUID

import click

from ibex.auth import Actor
from ibex.cli.administer import organization
from ibex.cli.directive.working import agent, fields, on_directives, told
from ibex.cli.options import as_json, data_dir
from ibex.context.directives import MODES, Directive, DirectiveService

# Bytes; more than any text that is accepted.
_LONGEST = 1 << 20


@click.command("create")
@click.argument("file", type=click.File("rb"))
@agent
@click.option(
    "--mode", type=click.Choice(MODES), default=MODES[0], show_default=True, help="Where it stands."
)
@click.option("--summary", help="What has changed; how many lines by default.")
@click.option("--submit", is_flag=True, help="Begin in review and not as a draft.")
@click.option("--promote", is_flag=True, help="Make it the active version.")
@organization
@as_json
@data_dir
@click.pass_context
def create_directive(
    context: click.Context,
    /,
    file: BinaryIO,
    agent: str,
    mode: str,
    summary: str | None,
    submit: bool,
    promote: bool,
    org: str,
    as_json: bool,
    **options: object,
) -> None:
    """Create a version from a file (`-` is what is piped in), and say its number."""
    try:
        content = file.read(_LONGEST).decode()
    except UnicodeDecodeError:
        raise click.ClickException("A directive is text in UTF-8, and this is not.") from None

    async def work(directives: DirectiveService, actor: Actor, agent_id: UUID) -> Directive:
        created = await directives.create(actor, agent_id, content, mode, summary, submit=submit or promote)
        return await directives.promote(actor, created.id) if promote else created

    created = on_directives(context, org, agent, work, **options)
    click.echo(json.dumps(fields(created), indent=2, ensure_ascii=False) if as_json else told(created))
