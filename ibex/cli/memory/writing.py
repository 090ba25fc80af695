"""`ibex memory add`."""

import json
import sys

import click

from ibex.auth import Actor
from ibex.cli.administer import organization
from ibex.cli.memory import options as common
from ibex.cli.memory.showing import fields
from ibex.cli.memory.working import on_memories
from ibex.cli.options import as_json, data_dir
from ibex.cli.progress import say
from ibex.errors import ErrorCode, IbexError
from ibex.memory import MemoryParts, NewMemory, Scope, Written

_QUARANTINED = (
    "It looks like an attempt to instruct a model: no search finds it until somebody has released it."
)

# Bytes; more than any text that is accepted.
_LONGEST = 4 << 20


@common.examples(
    'ibex memory add "Ada prefers tea." --user ada --kind preference --tag drinks',
    "ibex memory add - --user ada < note.txt",
)
@click.command("add")
@click.argument("content")
@common.agent
@common.user
@click.option("--session", help="The conversation that it comes from.")
@click.option("--kind", help="factual, preference, behavioral, episodic or procedural.")
@click.option("--tag", "tags", multiple=True, help="May be given several times.")
@organization
@as_json
@data_dir
@click.pass_context
def add_memory(
    context: click.Context,
    /,
    content: str,
    agent: str,
    user: str | None,
    session: str | None,
    kind: str | None,
    tags: tuple[str, ...],
    org: str,
    as_json: bool,
    **options: object,
) -> None:
    """Remember a text (`-` is what is piped in), and print its id."""
    if content == "-":
        content = _piped_in()

    async def work(parts: MemoryParts, actor: Actor) -> Written:
        scope = Scope(actor.org_id, await parts.lifecycle.agent(actor, agent), user, session)
        try:
            return await parts.writer.write(actor, scope, NewMemory(content, kind=kind, tags=tags))
        except IbexError as error:
            if error.code == ErrorCode.DUPLICATE_CONTENT:
                raise click.ClickException(f"{error.message} It is {error.detail}.") from None
            raise

    written = on_memories(context, org, work, **options)
    if written.findings:
        say(f"Found in the text: {', '.join(sorted({finding.kind for finding in written.findings}))}.")
    if written.outcome == "quarantined":
        say(_QUARANTINED)
    memory = written.memory
    click.echo(
        json.dumps(fields(memory), indent=2, ensure_ascii=False)
        if as_json
        else f"{memory.id}  {memory.status}"
    )


def _piped_in() -> str:
    try:
        return sys.stdin.buffer.read(_LONGEST).decode().strip()
    except UnicodeDecodeError:
        raise click.ClickException("What is piped in is not UTF-8.") from None
