"""`/v1/webhooks`."""

from collections.abc import Sequence
from uuid import UUID

from fastapi import APIRouter, Depends

from ibex.auth import Actor, Permission
from ibex.auth.access import Access
from ibex.notifications.deliveries import DeliveryLog
from ibex.notifications.schemas import DeliveriesQuery, NewWebhook, Redelivery, WebhookChange
from ibex.notifications.service import WebhookService
from ibex.notifications.views import DeliveryView, RedeliveredView, SecretView, WebhookView
from ibex.rest import Page, PageQuery, Single, paginated


def routers(webhooks: WebhookService, log: DeliveryLog, access: Access) -> Sequence[APIRouter]:
    return _webhook_router(webhooks, access), _delivery_router(log, access)


def _webhook_router(webhooks: WebhookService, access: Access) -> APIRouter:
    router = APIRouter(prefix="/v1/webhooks", tags=["webhooks"])
    manager = Depends(access.requires(Permission.ORGANIZATION_SETTINGS))

    @router.post("", status_code=201)
    async def create_webhook(body: NewWebhook, actor: Actor = manager) -> Single[SecretView]:
        """Have an endpoint, or a mail address, told of what happens. The secret is shown this once."""
        created = await webhooks.create(actor, body.url, body.description, body.events)
        return Single(data=SecretView.of_issued(created))

    @router.get("")
    async def list_webhooks(page: PageQuery, actor: Actor = manager) -> Page[WebhookView]:
        """List webhooks, in the order of their creation."""
        found = await webhooks.page(actor, page.cursor, page.limit + 1)
        return paginated(found, page.limit, WebhookView.of, key=lambda webhook: webhook.id)

    @router.get("/{webhook_id}")
    async def get_webhook(webhook_id: UUID, actor: Actor = manager) -> Single[WebhookView]:
        """Get a webhook."""
        return Single(data=WebhookView.of(await webhooks.get(actor, webhook_id)))

    @router.patch("/{webhook_id}")
    async def change_webhook(
        webhook_id: UUID, body: WebhookChange, actor: Actor = manager
    ) -> Single[WebhookView]:
        """Change a webhook, disable it, or enable it again."""
        changed = await webhooks.update(
            actor,
            webhook_id,
            url=body.url,
            description=body.description,
            events=body.events,
            status=body.status,
        )
        return Single(data=WebhookView.of(changed))

    @router.delete("/{webhook_id}", status_code=204)
    async def delete_webhook(webhook_id: UUID, actor: Actor = manager) -> None:
        """Delete a webhook, with the log of its deliveries."""
        await webhooks.remove(actor, webhook_id)

    @router.post("/{webhook_id}/rotate-secret")
    async def rotate_webhook_secret(webhook_id: UUID, actor: Actor = manager) -> Single[SecretView]:
        """Make a new secret, which is shown this once. For 24 hours the one before signs as well."""
        return Single(data=SecretView.of_issued(await webhooks.rotate(actor, webhook_id)))

    return router


def _delivery_router(log: DeliveryLog, access: Access) -> APIRouter:
    router = APIRouter(prefix="/v1/webhooks/{webhook_id}", tags=["webhooks"])
    manager = Depends(access.requires(Permission.ORGANIZATION_SETTINGS))

    @router.post("/test", status_code=201)
    async def test_webhook(webhook_id: UUID, actor: Actor = manager) -> Single[DeliveryView]:
        """Deliver an event of the type `webhook.test`, which nothing has caused."""
        return Single(data=DeliveryView.of(await log.test(actor, webhook_id)))

    @router.get("/deliveries")
    async def list_webhook_deliveries(
        webhook_id: UUID, wanted: DeliveriesQuery, actor: Actor = manager
    ) -> Page[DeliveryView]:
        """List deliveries with their attempts, the newest first."""
        found = await log.page(actor, webhook_id, wanted.status, wanted.cursor, wanted.limit + 1)
        return paginated(found, wanted.limit, DeliveryView.of, key=lambda logged: logged.delivery.id)

    @router.get("/deliveries/{delivery_id}")
    async def get_webhook_delivery(
        webhook_id: UUID, delivery_id: UUID, actor: Actor = manager
    ) -> Single[DeliveryView]:
        """Get a delivery with its attempts."""
        return Single(data=DeliveryView.of(await log.get(actor, webhook_id, delivery_id)))

    @router.post("/deliveries/{delivery_id}/redeliver")
    async def redeliver_webhook_delivery(
        webhook_id: UUID, delivery_id: UUID, actor: Actor = manager
    ) -> Single[DeliveryView]:
        """Begin a delivery anew, now, with the same `webhook-id`."""
        return Single(data=DeliveryView.of(await log.redeliver(actor, webhook_id, delivery_id)))

    @router.post("/redeliver")
    async def redeliver_failed_webhook_deliveries(
        webhook_id: UUID, body: Redelivery, actor: Actor = manager
    ) -> Single[RedeliveredView]:
        """Begin anew all deliveries that were given up, of a time."""
        count = await log.redeliver_failed(actor, webhook_id, body.since)
        return Single(data=RedeliveredView(deliveries=count))

    return router
