"""The parts that deliver, put together for a process that does what nobody waits for."""

from collections.abc import Callable
from datetime import datetime, timedelta

from ibex.auth import KeyRing
from ibex.http import parse_networks
from ibex.notifications.attempting import Attempts
from ibex.notifications.courier import Courier
from ibex.notifications.outcome import DeliveryPolicy
from ibex.notifications.relay import Relay
from ibex.notifications.sending import Addresses, Mailer, MailServer, Poster
from ibex.settings import NotificationSettings
from ibex.storage import Postgres


def courier(
    postgres: Postgres,
    keys: KeyRing,
    settings: NotificationSettings,
    user_agent: str,
    clock: Callable[[], datetime],
) -> Courier:
    """Nothing begins before its start."""
    addresses = Addresses(parse_networks(settings.allowed_networks))
    poster = Poster(
        addresses,
        timeout=settings.timeout_seconds,
        largest=settings.payload_limit_bytes,
        user_agent=user_agent,
        clock=clock,
    )
    smtp = settings.smtp_url
    mailer = Mailer(
        MailServer.of(smtp.get_secret_value()) if smtp else None,
        settings.mail_from or "",
        timeout=settings.timeout_seconds,
    )
    attempts = Attempts(
        postgres,
        keys,
        poster,
        mailer,
        DeliveryPolicy(timedelta(days=settings.disable_after_days)),
        clock,
        timeout=settings.timeout_seconds,
        most_of_webhook=settings.connections_per_webhook,
    )
    return Courier(postgres, Relay(postgres, clock), attempts, clock, most=settings.connections)
