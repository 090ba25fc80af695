"""`ibex webhook create`, `list`, `show`, `enable`, `disable`, `rotate-secret` and `delete`."""

import json
from uuid import UUID

import click

from ibex.cli.administer import organization
from ibex.cli.options import as_json, data_dir
from ibex.cli.table import table
from ibex.cli.webhook.working import Webhooks, on_webhooks, webhook_id
from ibex.notifications import IssuedSecret, Webhook
from ibex.notifications.views import SecretView, WebhookView
from ibex.outbox import EVENT_TYPES


@click.command("create")
@click.argument("url")
@click.option("--description", default="", help="What it is for.")
@click.option(
    "--event",
    "events",
    multiple=True,
    type=click.Choice(EVENT_TYPES),
    help="A type that it is told of; may be given more than once. All of them by default.",
)
@organization
@as_json
@data_dir
@click.pass_context
def create_webhook(
    context: click.Context,
    /,
    url: str,
    description: str,
    events: tuple[str, ...],
    org: str,
    as_json: bool,
    **options: object,
) -> None:
    """Have an endpoint (`https://…`) or a mail address (`mailto:…`) told of what happens.

    The secret is printed this once.
    """

    async def work(webhooks: Webhooks) -> IssuedSecret:
        return await webhooks.service.create(webhooks.actor, url, description, events)

    _print_issued(on_webhooks(context, org, work, **options), as_json=as_json)


@click.command("list")
@organization
@as_json
@data_dir
@click.pass_context
def list_webhooks(context: click.Context, /, org: str, as_json: bool, **options: object) -> None:
    """List webhooks, without their secrets."""

    async def work(webhooks: Webhooks) -> list[Webhook]:
        # There can be 1,000 at most.
        return await webhooks.service.page(webhooks.actor, None, 1_000)

    found = on_webhooks(context, org, work, **options)
    if as_json:
        click.echo(json.dumps([_fields(each) for each in found], indent=2, ensure_ascii=False))
        return
    rows = [
        (str(each.id), each.reason or each.status, each.url, ", ".join(each.events) or "all")
        for each in found
    ]
    click.echo(table(("ID", "STATUS", "URL", "EVENTS"), rows))


@click.command("show")
@webhook_id
@organization
@data_dir
@click.pass_context
def show_webhook(context: click.Context, /, webhook_id: UUID, org: str, **options: object) -> None:
    """Print a webhook as JSON, without its secret."""

    async def work(webhooks: Webhooks) -> Webhook:
        return await webhooks.service.get(webhooks.actor, webhook_id)

    found = on_webhooks(context, org, work, **options)
    click.echo(json.dumps(_fields(found), indent=2, ensure_ascii=False))


@click.command("enable")
@webhook_id
@organization
@data_dir
@click.pass_context
def enable_webhook(context: click.Context, /, webhook_id: UUID, org: str, **options: object) -> None:
    """Tell a webhook of what happens from now on; its failures are forgotten."""

    async def work(webhooks: Webhooks) -> Webhook:
        return await webhooks.service.update(webhooks.actor, webhook_id, status="enabled")

    click.echo(f"{on_webhooks(context, org, work, **options).url} is told of what happens.")


@click.command("disable")
@webhook_id
@organization
@data_dir
@click.pass_context
def disable_webhook(context: click.Context, /, webhook_id: UUID, org: str, **options: object) -> None:
    """Tell a webhook of nothing any more; what waits for it is given up."""

    async def work(webhooks: Webhooks) -> Webhook:
        return await webhooks.service.update(webhooks.actor, webhook_id, status="disabled")

    click.echo(f"{on_webhooks(context, org, work, **options).url} is told of nothing any more.")


@click.command("rotate-secret")
@webhook_id
@organization
@as_json
@data_dir
@click.pass_context
def rotate_secret(
    context: click.Context, /, webhook_id: UUID, org: str, as_json: bool, **options: object
) -> None:
    """Make a new secret, which is printed this once. For 24 hours the one before signs as well."""

    async def work(webhooks: Webhooks) -> IssuedSecret:
        return await webhooks.service.rotate(webhooks.actor, webhook_id)

    _print_issued(on_webhooks(context, org, work, **options), as_json=as_json)


@click.command("delete")
@webhook_id
@organization
@data_dir
@click.pass_context
def delete_webhook(context: click.Context, /, webhook_id: UUID, org: str, **options: object) -> None:
    """Delete a webhook, with the log of its deliveries."""

    async def work(webhooks: Webhooks) -> None:
        await webhooks.service.remove(webhooks.actor, webhook_id)

    on_webhooks(context, org, work, **options)
    click.echo(f"Deleted the webhook {webhook_id}.")


def _fields(webhook: Webhook) -> dict[str, object]:
    return WebhookView.of(webhook).model_dump(mode="json")


def _print_issued(issued: IssuedSecret, *, as_json: bool) -> None:
    if as_json:
        view = SecretView.of_issued(issued).model_dump(mode="json")
        click.echo(json.dumps(view, indent=2, ensure_ascii=False))
        return
    click.echo(f"id      {issued.webhook.id}")
    click.echo(f"url     {issued.webhook.url}")
    if issued.secret is not None:
        click.echo(f"secret  {issued.secret}")
