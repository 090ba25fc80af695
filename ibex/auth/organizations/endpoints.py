"""`/v1/organizations`: the own one under `me`, and all of them for whoever runs the installation."""

from datetime import timedelta
from uuid import UUID

from fastapi import APIRouter, Depends

from ibex.auth.access import Access
from ibex.auth.actor import Actor
from ibex.auth.organizations.founding import Founding
from ibex.auth.organizations.schemas import (
    FoundedView,
    NewOrganization,
    OrganizationChange,
    OrganizationView,
)
from ibex.auth.organizations.service import OrganizationService
from ibex.auth.permissions import Permission, PlatformRight
from ibex.rest import Page, PageQuery, Single, paginated


def own_router(organizations: OrganizationService, access: Access, grace: timedelta) -> APIRouter:
    """The organization of the token."""
    router = APIRouter(prefix="/v1/organizations/me", tags=["organization"])
    reader = Depends(access.requires())
    settler = Depends(access.requires(Permission.ORGANIZATION_SETTINGS))
    owner = Depends(access.requires(Permission.BILLING_MANAGE))

    @router.get("")
    async def get_own_organization(actor: Actor = reader) -> Single[OrganizationView]:
        """Get the token's organization."""
        return Single(data=OrganizationView.of(await organizations.get(actor.org_id)))

    @router.patch("")
    async def change_own_organization(
        body: OrganizationChange, actor: Actor = settler
    ) -> Single[OrganizationView]:
        """Change the name or the settings of the token's organization."""
        changed = await organizations.update(actor, actor.org_id, body.choices())
        return Single(data=OrganizationView.of(changed))

    @router.delete("")
    async def delete_own_organization(actor: Actor = owner) -> Single[OrganizationView]:
        """Delete the token's organization.

        All of its tokens are refused from now on, this one too. It is erased at `delete_after`; until then
        whoever runs the installation can resume it.
        """
        return Single(data=OrganizationView.of(await organizations.delete(actor, actor.org_id, grace)))

    return router


def platform_router(
    organizations: OrganizationService, founding: Founding, access: Access, grace: timedelta
) -> APIRouter:
    """All organizations."""
    router = APIRouter(prefix="/v1/organizations", tags=["platform"])
    platform = Depends(access.requires(platform=PlatformRight.ORGANIZATIONS))

    @router.post("", status_code=201)
    async def create_organization(body: NewOrganization, actor: Actor = platform) -> Single[FoundedView]:
        """Create an organization, with an agent and a token for its first call.

        The token may do everything in the organization. With an owner's address it belongs to that user.
        """
        founded = await founding.found(actor, body.name, body.slug, body.owner_email)
        return Single(data=FoundedView.founded(founded))

    @router.get("")
    async def list_organizations(page: PageQuery, actor: Actor = platform) -> Page[OrganizationView]:
        """List all organizations, in the order of their creation."""
        found = await organizations.page(page.cursor, page.limit + 1)
        return paginated(found, page.limit, OrganizationView.of, key=lambda one: one.id)

    @router.get("/{organization_id}")
    async def get_organization(organization_id: UUID, actor: Actor = platform) -> Single[OrganizationView]:
        """Get an organization."""
        return Single(data=OrganizationView.of(await organizations.get(organization_id)))

    @router.patch("/{organization_id}")
    async def change_organization(
        organization_id: UUID, body: OrganizationChange, actor: Actor = platform
    ) -> Single[OrganizationView]:
        """Change the name or the settings of an organization."""
        changed = await organizations.update(actor, organization_id, body.choices())
        return Single(data=OrganizationView.of(changed))

    @router.post("/{organization_id}/suspend")
    async def suspend_organization(
        organization_id: UUID, actor: Actor = platform
    ) -> Single[OrganizationView]:
        """Refuse all tokens of an organization until it is resumed."""
        return Single(data=OrganizationView.of(await organizations.suspend(actor, organization_id)))

    @router.post("/{organization_id}/resume")
    async def resume_organization(organization_id: UUID, actor: Actor = platform) -> Single[OrganizationView]:
        """Let the tokens of an organization be used again.

        Before `delete_after` this ends a deletion.
        """
        return Single(data=OrganizationView.of(await organizations.resume(actor, organization_id)))

    @router.delete("/{organization_id}")
    async def delete_organization(organization_id: UUID, actor: Actor = platform) -> Single[OrganizationView]:
        """Delete an organization.

        All of its tokens are refused from now on, and it is erased at `delete_after`.
        """
        deleted = await organizations.delete(actor, organization_id, grace)
        return Single(data=OrganizationView.of(deleted))

    return router
