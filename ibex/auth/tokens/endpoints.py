"""`/v1/tokens`."""

from datetime import timedelta
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query

from ibex.auth.access import Access
from ibex.auth.actor import Actor
from ibex.auth.names import no_access
from ibex.auth.permissions import Permission
from ibex.auth.tokens.schemas import IssuedTokenView, NewToken, Rotation, TokenQuery, TokenView
from ibex.auth.tokens.service import TokenService
from ibex.rest import Page, Single, paginated

# Whoever may make or end tokens, or look after the users who have them, sees those of the organization.
_MANAGING = (Permission.TOKEN_CREATE, Permission.TOKEN_REVOKE, Permission.ADMIN_USERS)


def router(tokens: TokenService, access: Access) -> APIRouter:
    router = APIRouter(prefix="/v1/tokens", tags=["tokens"])
    reader = Depends(access.requires())
    creator = Depends(access.requires(Permission.TOKEN_CREATE))
    revoker = Depends(access.requires(Permission.TOKEN_REVOKE, own="token_id"))

    @router.post("", status_code=201)
    async def create_token(body: NewToken, actor: Actor = creator) -> Single[IssuedTokenView]:
        """Create a token.

        Its text is in this answer and nowhere else. It can do no more than the token that creates it: no
        other permission, agent or network, and for no longer. One for a user can do no more than the role.
        """
        issued = await tokens.create(actor, body.request(actor.user_id))
        return Single(data=IssuedTokenView.issued(issued))

    @router.get("")
    async def list_tokens(query: Annotated[TokenQuery, Query()], actor: Actor = reader) -> Page[TokenView]:
        """List tokens, in the order of their creation.

        A token with `token:create`, `token:revoke` or `admin:users` sees all of its organization; any other
        sees itself.
        """
        only = None if _sees_all(actor) else actor.token_id
        found = await tokens.page(actor.org_id, query.cursor, query.limit + 1, query.selection(only))
        return paginated(found, query.limit, TokenView.of, key=lambda token: token.id)

    @router.get("/{token_id}")
    async def get_token(token_id: UUID, actor: Actor = reader) -> Single[TokenView]:
        """Get a token, under the same conditions as the list."""
        if token_id != actor.token_id and not _sees_all(actor):
            raise no_access("token")
        return Single(data=TokenView.of(await tokens.get(actor.org_id, token_id)))

    @router.post("/{token_id}/rotate", status_code=201)
    async def rotate_token(token_id: UUID, body: Rotation, actor: Actor = creator) -> Single[IssuedTokenView]:
        """Replace a token by a new one that can do the same.

        The old one goes on for the overlap. A token is rotated once, and by one that could have created it.
        """
        overlap = timedelta(seconds=body.overlap_seconds)
        issued = await tokens.rotate(actor, token_id, overlap, body.expires_at)
        return Single(data=IssuedTokenView.issued(issued))

    @router.delete("/{token_id}", status_code=204)
    async def revoke_token(token_id: UUID, actor: Actor = revoker) -> None:
        """Revoke a token.

        Every process refuses it within a second. Any token may revoke itself.
        """
        await tokens.revoke(actor, token_id)

    return router


def _sees_all(actor: Actor) -> bool:
    return any(actor.may(permission) for permission in _MANAGING)
