"""`ibex drift …`."""

import json
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, TypeVar
from uuid import UUID

import click

from ibex.auth import Actor, Administration
from ibex.cli.administer import administer, every, organization, time_text
from ibex.cli.options import as_json, data_dir
from ibex.cli.progress import say
from ibex.cli.table import table
from ibex.drift import Alert, DriftService, StoredBaseline
from ibex.drift.views import AlertView, WatchedView

Result = TypeVar("Result")
Work = Callable[[DriftService, Actor, UUID], Awaitable[Result]]

_agent = click.option(
    "--agent", default="default", show_default=True, help="Whose behaviour, by the agent's id or slug."
)
_directive = click.option(
    "--directive",
    "number",
    type=click.IntRange(0, 2**31 - 1),
    default=0,
    show_default=True,
    help="The number of a version of its directive; 0 is none.",
)
_id = click.argument("alert_id", metavar="ID", type=click.UUID)


@click.group()
def drift() -> None:
    """See whether agents still behave as they did, and settle alerts."""


@drift.command("status")
@_agent
@organization
@as_json
@data_dir
@click.pass_context
def drift_status(context: click.Context, /, agent: str, org: str, as_json: bool, **options: object) -> None:
    """Say what is watched of an agent, by the versions of its directive."""

    async def work(drift: DriftService, actor: Actor, agent_id: UUID) -> list[dict[str, Any]]:
        return await drift.overview(actor, agent_id)

    found = [WatchedView.of(each) for each in _on_drift(context, org, agent, work, **options)]
    if as_json:
        click.echo(json.dumps([each.model_dump(mode="json") for each in found], indent=2))
        return
    rows = [
        (
            str(each.directive_number),
            str(each.calls),
            "learning"
            if each.baseline_id is None
            else f"baseline of version {each.baseline_directive_number}",
            "" if each.alert_id is None else str(each.alert_id),
            time_text(each.updated_at) or "",
        )
        for each in found
    ]
    click.echo(table(("DIRECTIVE", "CALLS", "STATE", "ALERT", "LAST CALL"), rows))


@drift.command("alerts")
@_agent
@organization
@as_json
@data_dir
@click.pass_context
def list_alerts(context: click.Context, /, agent: str, org: str, as_json: bool, **options: object) -> None:
    """List the alerts of an agent, in the order in which they were raised."""

    async def work(drift: DriftService, actor: Actor, agent_id: UUID) -> list[Alert]:
        return await every(partial(drift.alerts, actor, agent_id, None, None))

    found = _on_drift(context, org, agent, work, **options)
    if as_json:
        click.echo(json.dumps([_fields(each) for each in found], indent=2, ensure_ascii=False))
        return
    rows = [
        (
            str(each.id),
            each.severity,
            each.status,
            ", ".join(feature["feature"] for feature in each.features),
            ", ".join(f"{cause['kind']} {cause['value']}" for cause in each.causes),
            time_text(each.first_seen_at) or "",
        )
        for each in found
    ]
    click.echo(table(("ID", "SEVERITY", "STATUS", "MOVED", "BEFORE IT", "SINCE"), rows))


@drift.command("acknowledge")
@_id
@organization
@data_dir
@click.pass_context
def acknowledge_alert(context: click.Context, /, alert_id: UUID, org: str, **options: object) -> None:
    """Say that somebody looks at an alert."""
    _settle(context, org, lambda drift, actor: drift.acknowledge(actor, alert_id), **options)


@drift.command("resolve")
@_id
@click.option("--accept", is_flag=True, help="The agent is to behave as it does now.")
@organization
@data_dir
@click.pass_context
def resolve_alert(
    context: click.Context, /, alert_id: UUID, accept: bool, org: str, **options: object
) -> None:
    """Settle an alert, and watch again."""
    _settle(context, org, lambda drift, actor: drift.resolve(actor, alert_id, accept=accept), **options)


@drift.command("false-alarm")
@_id
@organization
@data_dir
@click.pass_context
def dismiss_alert(context: click.Context, /, alert_id: UUID, org: str, **options: object) -> None:
    """Settle an alert as no change; what moved has higher thresholds from now on."""
    _settle(context, org, lambda drift, actor: drift.false_alarm(actor, alert_id), **options)


@drift.command("set-baseline")
@click.option(
    "--calls", type=click.IntRange(200, 3_000), default=1_000, show_default=True, help="The last calls."
)
@_directive
@_agent
@organization
@data_dir
@click.pass_context
def set_baseline(
    context: click.Context, /, calls: int, number: int, agent: str, org: str, **options: object
) -> None:
    """Compare an agent with its last calls from now on."""

    async def work(drift: DriftService, actor: Actor, agent_id: UUID) -> StoredBaseline:
        return await drift.set_baseline(actor, agent_id, number, calls)

    stored = _on_drift(context, org, agent, work, **options)
    say(f"The baseline is made of {stored.calls} calls.")


@drift.command("reset-baseline")
@_directive
@_agent
@organization
@data_dir
@click.pass_context
def reset_baseline(context: click.Context, /, number: int, agent: str, org: str, **options: object) -> None:
    """Learn a baseline anew, from the calls that come."""

    async def work(drift: DriftService, actor: Actor, agent_id: UUID) -> None:
        await drift.reset_baseline(actor, agent_id, number)

    _on_drift(context, org, agent, work, **options)
    say("A baseline is learned from the next calls.")


def _on_drift(
    context: click.Context, /, org: str, agent: str, work: Work[Result], **options: object
) -> Result:
    async def within(administration: Administration, actor: Actor) -> Result:
        found = await administration.agents.resolve(actor.org_id, agent)
        return await work(DriftService(administration.postgres), actor, found.id)

    return administer(context, org, within, **options)


def _settle(
    context: click.Context,
    /,
    org: str,
    change: Callable[[DriftService, Actor], Awaitable[Alert]],
    **options: object,
) -> None:
    async def within(administration: Administration, actor: Actor) -> Alert:
        return await change(DriftService(administration.postgres), actor)

    alert = administer(context, org, within, **options)
    say(f"The alert is {'a false alarm' if alert.status == 'false_alarm' else alert.status}.")


def _fields(alert: Alert) -> dict[str, Any]:
    return AlertView.of(alert).model_dump(mode="json")
