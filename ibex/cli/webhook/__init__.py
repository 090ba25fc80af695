"""`ibex webhook …`: whom an organization has told of what happens."""

import click

from ibex.cli.webhook.delivering import list_deliveries, redeliver, test_webhook
from ibex.cli.webhook.managing import (
    create_webhook,
    delete_webhook,
    disable_webhook,
    enable_webhook,
    list_webhooks,
    rotate_secret,
    show_webhook,
)

__all__ = ["webhook"]


@click.group()
def webhook() -> None:
    """Have endpoints and mail addresses told of what happens, and see what they were told."""


for command in (
    create_webhook,
    list_webhooks,
    show_webhook,
    enable_webhook,
    disable_webhook,
    rotate_secret,
    delete_webhook,
    test_webhook,
    list_deliveries,
    redeliver,
):
    webhook.add_command(command)
