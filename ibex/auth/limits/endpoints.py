"""`/v1/limits`, and the limits of an organization as those who run the installation set them."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query

from ibex.auth.access import Access
from ibex.auth.actor import Actor
from ibex.auth.limits.allowances import LimitDefaults
from ibex.auth.limits.schemas import (
    Asked,
    EffectiveLimit,
    EffectiveLimits,
    LimitView,
    NewAllowance,
    NewLimit,
)
from ibex.auth.limits.service import LimitService
from ibex.auth.permissions import Permission, PlatformRight
from ibex.rest import Page, PageQuery, Single, paginated


def router(limits: LimitService, defaults: LimitDefaults, access: Access) -> APIRouter:
    router = APIRouter(prefix="/v1", tags=["limits"])
    manager = Depends(access.requires(Permission.ORGANIZATION_SETTINGS))
    platform = Depends(access.requires(platform=PlatformRight.ORGANIZATIONS))

    @router.put("/limits")
    async def set_limit(body: NewLimit, actor: Actor = manager) -> Single[LimitView]:
        """Override the limits of one subject. Every process follows within a second.

        Those of the organization itself need `platform:organizations`.
        """
        override = await limits.put(actor, body.scope, body.subject, body.allowance())
        return Single(data=LimitView.of(override))

    @router.get("/limits")
    async def list_limits(page: PageQuery, actor: Actor = manager) -> Page[LimitView]:
        """List overrides, in the order of their creation."""
        found = await limits.page(actor.org_id, page.cursor, page.limit + 1)
        return paginated(found, page.limit, LimitView.of, key=lambda override: override.id)

    @router.get("/limits/effective")
    async def get_effective_limits(
        asked: Annotated[Asked, Query()], actor: Actor = manager
    ) -> Single[EffectiveLimits]:
        """Show what applies to the organization, and to a token, an agent and an end user that are named."""
        found = await limits.effective(
            actor.org_id, defaults, token_id=asked.token_id, agent_id=asked.agent_id, end_user=asked.user_id
        )
        return Single(data=EffectiveLimits(limits=[EffectiveLimit.of(each) for each in found]))

    @router.delete("/limits/{limit_id}", status_code=204)
    async def remove_limit(limit_id: UUID, actor: Actor = manager) -> None:
        """Remove an override, so that the defaults hold again."""
        await limits.remove(actor, limit_id)

    @router.put("/organizations/{organization_id}/limits")
    async def set_organization_limits(
        organization_id: UUID, body: NewAllowance, actor: Actor = platform
    ) -> Single[LimitView]:
        """Override the limits of an organization as a whole."""
        there = actor.within(organization_id)
        override = await limits.put(there, "organization", str(organization_id), body.allowance())
        return Single(data=LimitView.of(override))

    @router.delete("/organizations/{organization_id}/limits", status_code=204)
    async def remove_organization_limits(organization_id: UUID, actor: Actor = platform) -> None:
        """Let the installation's limits hold again for an organization."""
        await limits.remove_of(actor.within(organization_id), "organization", str(organization_id))

    return router
