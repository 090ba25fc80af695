"""`ibex webhook test`, `deliveries` and `redeliver`."""

import json
from datetime import datetime
from uuid import UUID

import click

from ibex.cli.administer import organization, time_text
from ibex.cli.options import as_json, data_dir, moment
from ibex.cli.table import table
from ibex.cli.webhook.working import Webhooks, on_webhooks, webhook_id
from ibex.notifications import LoggedDelivery
from ibex.notifications.views import DeliveryView
from ibex.notifications.webhook import DeliveryStatus


@click.command("test")
@webhook_id
@organization
@data_dir
@click.pass_context
def test_webhook(context: click.Context, /, webhook_id: UUID, org: str, **options: object) -> None:
    """Deliver an event of the type `webhook.test`, and say which delivery it is."""

    async def work(webhooks: Webhooks) -> LoggedDelivery:
        return await webhooks.log.test(webhooks.actor, webhook_id)

    delivery = on_webhooks(context, org, work, **options).delivery
    click.echo(f"The delivery {delivery.id} is on its way: `ibex webhook deliveries {webhook_id}`.")


@click.command("deliveries")
@webhook_id
@click.option("--status", type=click.Choice(("pending", "delivered", "failed")), help="Only those.")
@click.option("--limit", type=click.IntRange(1, 1_000), default=50, show_default=True, help="At most.")
@organization
@as_json
@data_dir
@click.pass_context
def list_deliveries(
    context: click.Context,
    /,
    webhook_id: UUID,
    status: DeliveryStatus | None,
    limit: int,
    org: str,
    as_json: bool,
    **options: object,
) -> None:
    """List what was delivered to a webhook, the newest first."""

    async def work(webhooks: Webhooks) -> list[LoggedDelivery]:
        return await webhooks.log.page(webhooks.actor, webhook_id, status, None, limit)

    found = on_webhooks(context, org, work, **options)
    if as_json:
        views = [DeliveryView.of(each).model_dump(mode="json") for each in found]
        click.echo(json.dumps(views, indent=2, ensure_ascii=False))
        return
    click.echo(table(("ID", "EVENT", "AT", "STATUS", "ATTEMPTS", "LAST"), [_row(each) for each in found]))


@click.command("redeliver")
@webhook_id
@click.argument("delivery_id", type=click.UUID, required=False)
@click.option("--failed-since", callback=moment, help="All that were given up since this time.")
@organization
@data_dir
@click.pass_context
def redeliver(
    context: click.Context,
    /,
    webhook_id: UUID,
    delivery_id: UUID | None,
    failed_since: datetime | None,
    org: str,
    **options: object,
) -> None:
    """Begin a delivery anew, now, or with --failed-since all that were given up."""
    if (delivery_id is None) == (failed_since is None):
        raise click.UsageError("Name a delivery, or a time with --failed-since.")

    async def work(webhooks: Webhooks) -> int:
        if failed_since is not None:
            return await webhooks.log.redeliver_failed(webhooks.actor, webhook_id, failed_since)
        if delivery_id is not None:
            await webhooks.log.redeliver(webhooks.actor, webhook_id, delivery_id)
        return 1

    count = on_webhooks(context, org, work, **options)
    click.echo(f"Deliveries begun anew: {count}.")


def _row(logged: LoggedDelivery) -> tuple[str, ...]:
    delivery = logged.delivery
    last = logged.attempts[-1] if logged.attempts else None
    told = (
        "" if last is None else " ".join(str(each) for each in (last.status, last.error) if each is not None)
    )
    return (
        str(delivery.id),
        delivery.type,
        time_text(delivery.at) or "",
        delivery.status,
        str(delivery.attempts),
        told,
    )
