"""`ibex memory export` and `ibex memory import`."""

from collections.abc import AsyncIterator
from typing import BinaryIO

import click

from ibex.auth import Actor
from ibex.cli.administer import organization
from ibex.cli.memory import options as common
from ibex.cli.memory.tally import Tally
from ibex.cli.memory.working import on_memories
from ibex.cli.options import data_dir
from ibex.cli.progress import say
from ibex.memory import MemoryParts
from ibex.memory.lifecycle.transfer import LONGEST_LINE, ImportReport


@common.examples(
    "ibex memory export memories.jsonl",
    "ibex memory export - --user ada | gzip > ada.jsonl.gz",
)
@click.command("export")
@click.argument("file", type=click.File("wb"), default="-")
@click.option("--agent", help="Only this agent's, by id or slug.")
@common.one_user
@organization
@data_dir
@click.pass_context
def export_memories(
    context: click.Context,
    /,
    file: BinaryIO,
    agent: str | None,
    user: str | None,
    org: str,
    **options: object,
) -> None:
    """Write memories as lines of JSON, to the terminal unless a FILE is named."""

    async def work(parts: MemoryParts, actor: Actor) -> None:
        agent_id = await parts.lifecycle.agent_or_all(actor, agent)
        tally, exported = Tally("Exported", "memories"), 0
        async for memories, text in await parts.lifecycle.exporting.begin(actor, agent_id, user):
            file.write(text)
            exported += memories
            tally.reached(exported)
        file.flush()
        tally.end(exported)

    on_memories(context, org, work, **options)


@common.examples(
    "ibex memory import memories.jsonl",
    "gunzip < ada.jsonl.gz | ibex memory import - --org elsewhere --agent default",
)
@click.command("import")
@click.argument("file", type=click.File("rb"))
@click.option("--agent", help="For this agent, by id or slug, whatever the lines say.")
@organization
@data_dir
@click.pass_context
def import_memories(
    context: click.Context, /, file: BinaryIO, agent: str | None, org: str, **options: object
) -> None:
    """Read memories from lines of JSON (`-` is what is piped in). Safe to repeat and to interrupt.

    The exit status is 1 when a line was refused.
    """

    async def work(parts: MemoryParts, actor: Actor) -> ImportReport:
        tally = Tally("Read", "memories")
        return await parts.lifecycle.importing.take(
            actor,
            _lines(file),
            agent,
            lambda report: tally.reached(report.imported + report.unchanged + report.refused),
        )

    report = on_memories(context, org, work, **options)
    for refusal in sorted(report.refusals, key=lambda refusal: refusal.line):
        say(f"Line {refusal.line}: {refusal.error.message}")
    untold = report.refused - len(report.refusals)
    if untold:
        say(f"{untold:,} more lines were refused.")
    click.echo(f"{report.imported} imported, {report.unchanged} there already, {report.refused} refused.")
    if report.refused:
        context.exit(1)


async def _lines(file: BinaryIO) -> AsyncIterator[bytes]:
    """Those that are not blank. Of one that is too long as much as shows that it is."""
    while line := file.readline(LONGEST_LINE + 1):
        if len(line) > LONGEST_LINE:
            _skip_the_rest(file, line)
        if line.strip():
            yield line


def _skip_the_rest(file: BinaryIO, line: bytes) -> None:
    while line and not line.endswith(b"\n"):
        line = file.readline(LONGEST_LINE)
