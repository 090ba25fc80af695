"""`ibex memory …`."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import BinaryIO, TypeVar
from uuid import UUID

import click

import ibex
from ibex.auth import Actor, Administration
from ibex.cli.administer import on_database, on_installation, organization
from ibex.cli.memory_progress import Tally
from ibex.cli.options import as_json, data_dir
from ibex.cli.progress import say
from ibex.cli.table import table
from ibex.memory import Memory, MemoryParts, NewMemory, Scope, SearchQuery
from ibex.memory.embedding import EmbedderUnavailableError
from ibex.memory.repository.reads import Selection
from ibex.memory.views import MemoryView
from ibex.serving.servers import Addresses
from ibex.settings import Settings
from ibex.storage import connect

Result = TypeVar("Result")
Work = Callable[[MemoryParts, Actor], Awaitable[Result]]

# Seconds for a command to Redis.
_PATIENCE = 2.0
_PAGE = 200
_SHOWN = 60


@click.group()
def memory() -> None:
    """Add, find, export, import and delete memories."""


def agent_option(function: Callable[..., None]) -> Callable[..., None]:
    return click.option(
        "--agent", default="default", show_default=True, help="Whose memories, by the agent's id or slug."
    )(function)


user_option = click.option("--user", help="The end user that they are about; nobody by default.")


@memory.command("add")
@click.argument("content")
@agent_option
@user_option
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
    """Remember a text, and print its id."""

    async def work(parts: MemoryParts, actor: Actor) -> Memory:
        scope = Scope(actor.org_id, await parts.lifecycle.agent(actor, agent), user, session)
        written = await parts.writer.write(actor, scope, NewMemory(content, kind=kind, tags=tags))
        return written.memory

    written = _on_memories(context, org, work, **options)
    click.echo(_json(written) if as_json else f"{written.id}  {written.status}")


@memory.command("search")
@click.argument("query")
@agent_option
@user_option
@click.option("--session", help="The conversation, for what only it may see.")
@click.option("--limit", type=click.IntRange(1, 100), default=10, show_default=True, help="Most results.")
@organization
@as_json
@data_dir
@click.pass_context
def search_memories(
    context: click.Context,
    /,
    query: str,
    agent: str,
    user: str | None,
    session: str | None,
    limit: int,
    org: str,
    as_json: bool,
    **options: object,
) -> None:
    """Find the memories that answer best, the best first."""

    async def work(parts: MemoryParts, actor: Actor) -> list[Memory]:
        scope = Scope(actor.org_id, await parts.lifecycle.agent(actor, agent), user, session)
        answer = await parts.search.search(scope, SearchQuery(query, limit))
        if answer.degraded is not None:
            say(answer.degraded)
        return [found.memory for found in answer.results]

    _show(_on_memories(context, org, work, **options), as_json)


@memory.command("list")
@agent_option
@click.option("--user", help="Only those about this end user.")
@click.option(
    "--status",
    type=click.Choice(["active", "superseded", "merged", "archived", "quarantined", "deleted"]),
    default="active",
    show_default=True,
    help="What has become of them.",
)
@organization
@as_json
@data_dir
@click.pass_context
def list_memories(
    context: click.Context,
    /,
    agent: str,
    user: str | None,
    status: str,
    org: str,
    as_json: bool,
    **options: object,
) -> None:
    """List an agent's memories, in the order in which they were written."""

    async def work(parts: MemoryParts, actor: Actor) -> list[Memory]:
        agent_id = await parts.lifecycle.agent(actor, agent)
        selection = Selection(agent_id=agent_id, user_id=user, statuses=(status,))  # type: ignore[arg-type]
        found: list[Memory] = []
        while more := await parts.lifecycle.reader.page(
            actor, selection, found[-1].id if found else None, _PAGE
        ):
            found += more
        return found

    _show(_on_memories(context, org, work, **options), as_json)


@memory.command("delete")
@click.argument("memory_id", metavar="ID", type=click.UUID)
@click.option("--hard", is_flag=True, help="For good, and print the certificate.")
@organization
@data_dir
@click.pass_context
def delete_memory(
    context: click.Context, /, memory_id: UUID, hard: bool, org: str, **options: object
) -> None:
    """Delete a memory, so that it can be restored unless it is --hard."""

    async def work(parts: MemoryParts, actor: Actor) -> str:
        if not hard:
            await parts.lifecycle.states.delete(actor, memory_id)
            return f"Deleted {memory_id}."
        certificate = await parts.lifecycle.erasure.erase(actor, memory_id)
        counted = ", ".join(f"{number} {name}" for name, number in certificate.erased.items())
        return f"Erased {memory_id}: {counted}. Certificate {certificate.id}."

    click.echo(_on_memories(context, org, work, **options))


@memory.command("export")
@click.argument("file", type=click.File("wb"), default="-")
@click.option("--agent", help="Only this agent's, by id or slug.")
@click.option("--user", help="Only those about this end user.")
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
        tally.end(exported)

    _on_memories(context, org, work, **options)


@memory.command("import")
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

    async def work(parts: MemoryParts, actor: Actor) -> int:
        tally = Tally("Read", "memories")
        report = await parts.lifecycle.importing.take(
            actor,
            _lines(file),
            agent,
            lambda report: tally.reached(report.imported + report.unchanged + report.refused),
        )
        for refusal in report.refusals:
            say(f"Line {refusal.line}: {refusal.error.message}")
        click.echo(f"{report.imported} imported, {report.unchanged} there already, {report.refused} refused.")
        return report.refused

    if _on_memories(context, org, work, **options):
        context.exit(1)


@memory.command("reembed")
@organization
@data_dir
@click.pass_context
def reembed_memories(context: click.Context, /, org: str, **options: object) -> None:
    """Give every memory a vector of the embedding model that is configured, beside those that serve.

    IBEX may run meanwhile, with another model. Safe to repeat and to interrupt: it goes on where it was.
    """

    async def work(parts: MemoryParts, actor: Actor) -> str:
        reembedding = parts.reembedding
        if reembedding is None:
            raise click.ClickException("No embedding model is configured; `ibex models list` says why.")
        tally = Tally("Embedded", "memories", await reembedding.remaining(actor.org_id))
        try:
            done = await reembedding.run(actor.org_id, tally.reached)
        except EmbedderUnavailableError as error:
            raise click.ClickException(f"{error} What was embedded is kept; try again.") from None
        tally.end(done)
        return f"Every memory has a vector of {reembedding.model}."

    click.echo(_on_memories(context, org, work, **options))


def _on_memories(context: click.Context, /, org: str, work: Work[Result], **options: object) -> Result:
    """Do `work` on the memories of an organization of this installation."""

    async def on_servers(settings: Settings, addresses: Addresses) -> Result:
        redis = connect(addresses.redis_url, timeout=_PATIENCE)

        async def within(administration: Administration, settings: Settings) -> Result:
            found = await administration.organizations.find_by_slug(org)
            if found is None:
                raise click.ClickException(
                    f"There is no organization `{org}`. `ibex org list` shows which there are."
                )
            postgres = administration.postgres
            parts = MemoryParts(
                settings, postgres, postgres, redis, administration.agents, f"ibex/{ibex.__version__}"
            )
            try:
                return await work(parts, Actor.local(found, "cli"))
            finally:
                await parts.close()

        try:
            return await on_database(settings, addresses, within)
        finally:
            await redis.aclose()

    return on_installation(context, on_servers, **options)


async def _lines(file: BinaryIO) -> AsyncIterator[bytes]:
    for line in file:
        if line.strip():
            yield line


def _show(memories: list[Memory], as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps([json.loads(_json(each)) for each in memories], indent=2))
        return
    rows = [(str(each.id), each.user_id or "-", each.kind, _short(each.content)) for each in memories]
    click.echo(table(("ID", "USER", "KIND", "CONTENT"), rows))


def _json(memory: Memory) -> str:
    return MemoryView.of(memory).model_dump_json(indent=2)


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _SHOWN else f"{line[: _SHOWN - 1]}…"
