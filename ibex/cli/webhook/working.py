"""How a command works on the webhooks of an organization."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TypeVar

import click

from ibex.auth import Actor, Administration
from ibex.cli.administer import acting_in, administer_all
from ibex.notifications import DeliveryLog, WebhookRules, WebhookService
from ibex.serving.secrets import existing_keys
from ibex.settings import Settings

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Webhooks:
    """What can be done, and on whose behalf."""

    service: WebhookService
    log: DeliveryLog
    actor: Actor


Work = Callable[[Webhooks], Awaitable[Result]]

webhook_id = click.argument("webhook_id", type=click.UUID)


def on_webhooks(context: click.Context, /, org: str, work: Work[Result], **options: object) -> Result:
    """Do `work` on the webhooks of an organization of this installation."""
    now = partial(datetime.now, UTC)

    async def within(administration: Administration, settings: Settings) -> Result:
        rules = WebhookRules.of(settings.notifications)
        webhooks = WebhookService(administration.postgres, existing_keys(settings), rules, now)
        log = DeliveryLog(administration.postgres, now)
        return await work(Webhooks(webhooks, log, await acting_in(administration, org)))

    return administer_all(context, within, **options)
