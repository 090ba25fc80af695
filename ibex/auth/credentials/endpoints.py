"""`/v1/provider-credentials`."""

from fastapi import APIRouter, Depends

from ibex.auth.access import Access
from ibex.auth.actor import Actor
from ibex.auth.credentials.schemas import CredentialView, NewCredential
from ibex.auth.credentials.service import CredentialService
from ibex.auth.permissions import Permission
from ibex.rest import Page, Pagination, Single


def router(credentials: CredentialService, access: Access) -> APIRouter:
    router = APIRouter(prefix="/v1/provider-credentials", tags=["provider credentials"])
    manager = Depends(access.requires(Permission.ORGANIZATION_SETTINGS))

    @router.put("/{provider}")
    async def set_provider_credential(
        provider: str, body: NewCredential, actor: Actor = manager
    ) -> Single[CredentialView]:
        """Use the organization's own key at a provider, in place of the installation's."""
        credential = await credentials.put(actor, provider, body.api_key.get_secret_value())
        return Single(data=CredentialView.of(credential))

    @router.get("")
    async def list_provider_credentials(actor: Actor = manager) -> Page[CredentialView]:
        """List the organization's own keys, without the keys; one page has all of them, by provider."""
        found = await credentials.all_of(actor.org_id)
        return Page(
            data=[CredentialView.of(credential) for credential in found],
            pagination=Pagination(has_more=False, next_cursor=None),
        )

    @router.delete("/{provider}", status_code=204)
    async def remove_provider_credential(provider: str, actor: Actor = manager) -> None:
        """Forget a key; from now on the installation's own is used."""
        await credentials.remove(actor, provider)

    return router
