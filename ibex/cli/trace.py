"""`ibex trace …`."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import BinaryIO, TypeVar
from uuid import UUID

import click

from ibex.app.traces import trace_store
from ibex.auth import Actor, Administration
from ibex.cli.administer import administer_all, organization
from ibex.cli.options import as_json, data_dir
from ibex.cli.table import table
from ibex.settings import Settings
from ibex.storage import ClickHouseError
from ibex.traces.reading import TraceReading
from ibex.traces.reading.exporting import as_csv, as_jsonl
from ibex.traces.reading.views import TraceView, dollars
from ibex.traces.store import Expired, Selection
from ibex.traces.trace import Trace

Result = TypeVar("Result")
Work = Callable[[TraceReading, Actor, UUID | None], Awaitable[Result]]

agent = click.option("--agent", help="Only this agent's, by id or slug.")


@click.group()
def trace() -> None:
    """Look at the records of calls."""


@trace.command("list")
@agent
@click.option("--limit", type=click.IntRange(1, 1_000), default=50, show_default=True, help="Most of them.")
@organization
@as_json
@data_dir
@click.pass_context
def list_traces(
    context: click.Context, /, agent: str | None, limit: int, org: str, as_json: bool, **options: object
) -> None:
    """List calls, the newest first."""

    async def work(traces: TraceReading, actor: Actor, agent_id: UUID | None) -> list[Trace]:
        return await traces.page(actor, Selection(agent_id=agent_id), None, limit)

    found = _on_traces(context, org, agent, work, **options)
    if as_json:
        click.echo(json.dumps([_fields(each) for each in found], indent=2, ensure_ascii=False))
        return
    rows = [
        (
            str(each.id),
            each.at.isoformat(timespec="seconds"),
            each.model,
            str(each.status),
            each.outcome,
            f"{each.latency_ms:.0f}",
            "" if each.cost_nano_usd is None else f"{dollars(each.cost_nano_usd):.6f}",
        )
        for each in found
    ]
    click.echo(table(("ID", "AT", "MODEL", "STATUS", "OUTCOME", "MS", "USD"), rows))


@trace.command("show")
@click.argument("trace_id", type=click.UUID)
@organization
@data_dir
@click.pass_context
def show_trace(context: click.Context, /, trace_id: UUID, org: str, **options: object) -> None:
    """Print the record of a call, by the id of its request or of its trace."""

    async def work(traces: TraceReading, actor: Actor, agent_id: UUID | None) -> Trace:
        return await traces.get(actor, trace_id)

    found = _on_traces(context, org, None, work, **options)
    click.echo(json.dumps(_fields(found), indent=2, ensure_ascii=False))


@trace.command("export")
@click.argument("file", type=click.File("wb"), default="-")
@click.option(
    "--format",
    "form",
    type=click.Choice(("jsonl", "csv")),
    default="jsonl",
    show_default=True,
    help="One JSON object, or one row of a table, for each call.",
)
@agent
@organization
@data_dir
@click.pass_context
def export_traces(
    context: click.Context, /, file: BinaryIO, form: str, agent: str | None, org: str, **options: object
) -> None:
    """Write calls as lines of JSON or as a table, to the terminal unless a FILE is named."""

    async def work(traces: TraceReading, actor: Actor, agent_id: UUID | None) -> None:
        pages = await traces.export(actor, Selection(agent_id=agent_id))
        lines: AsyncIterator[bytes] = as_csv(pages) if form == "csv" else as_jsonl(pages)
        async for text in lines:
            file.write(text)
        file.flush()

    _on_traces(context, org, agent, work, **options)


@trace.command("expire")
@click.option("--dry-run", is_flag=True, help="Only say what would go.")
@data_dir
@click.pass_context
def expire(context: click.Context, /, dry_run: bool, **options: object) -> None:
    """Forget what is older than `trace_days`, of every organization. A job does so every minute."""

    async def work(administration: Administration, settings: Settings) -> list[Expired]:
        store = trace_store(settings, administration.postgres)
        try:
            return await store.expire(settings.trace_days, dry_run=dry_run)
        finally:
            await store.close()

    for expired in administer_all(context, work, **options):
        where = "outside of any week" if expired.week is None else f"of the week of {expired.week}"
        click.echo(f"About {expired.traces:,} traces {where} {'would go' if dry_run else 'are gone'}.")


def _on_traces(
    context: click.Context, /, org: str, agent: str | None, work: Work[Result], **options: object
) -> Result:
    async def within(administration: Administration, settings: Settings) -> Result:
        org_id = await administration.organizations.find_by_slug(org)
        if org_id is None:
            raise click.ClickException(
                f"There is no organization `{org}`. `ibex org list` shows which there are."
            )
        agent_id = None if agent is None else (await administration.agents.resolve(org_id, agent)).id
        store = trace_store(settings, administration.postgres)
        try:
            reading = TraceReading(store, administration.postgres)
            return await work(reading, Actor.local(org_id, "cli"), agent_id)
        except ClickHouseError as error:
            raise click.ClickException(f"{error}.") from error
        finally:
            await store.close()

    return administer_all(context, within, **options)


def _fields(each: Trace) -> object:
    """What the REST interface shows of it."""
    return TraceView.of(each).model_dump(mode="json")
