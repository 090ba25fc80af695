"""Tells whom an organization wants told of what happens: signed webhooks, and mails."""

from ibex.notifications.assembly import courier
from ibex.notifications.cleaning import DeliveryRetention
from ibex.notifications.courier import Courier
from ibex.notifications.deliveries import DeliveryLog, LoggedDelivery
from ibex.notifications.sealing import WEBHOOK_SECRETS
from ibex.notifications.service import WebhookRules, WebhookService
from ibex.notifications.webhook import Attempt, Delivery, IssuedSecret, Webhook

__all__ = [
    "WEBHOOK_SECRETS",
    "Attempt",
    "Courier",
    "Delivery",
    "DeliveryLog",
    "DeliveryRetention",
    "IssuedSecret",
    "LoggedDelivery",
    "Webhook",
    "WebhookRules",
    "WebhookService",
    "courier",
]
