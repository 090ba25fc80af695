"""`/v1/users`."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query

from ibex.auth.access import Access
from ibex.auth.actor import Actor
from ibex.auth.permissions import Permission
from ibex.auth.users.schemas import NewUser, UserChange, UserQuery, UserView
from ibex.auth.users.service import UserService
from ibex.rest import Page, Single, paginated


def router(users: UserService, access: Access) -> APIRouter:
    router = APIRouter(prefix="/v1/users", tags=["users"])
    manager = Depends(access.requires(Permission.ADMIN_USERS))

    @router.post("", status_code=201)
    async def create_user(body: NewUser, actor: Actor = manager) -> Single[UserView]:
        """Create a user.

        Nobody can give a role with permissions that they lack. No mail is sent.
        """
        return Single(data=UserView.of(await users.create(actor, body.email, body.name, body.role)))

    @router.get("")
    async def list_users(query: Annotated[UserQuery, Query()], actor: Actor = manager) -> Page[UserView]:
        """List users, in the order of their creation."""
        found = await users.page(actor.org_id, query.cursor, query.limit + 1, query.status)
        return paginated(found, query.limit, UserView.of, key=lambda user: user.id)

    @router.get("/{user_id}")
    async def get_user(user_id: UUID, actor: Actor = manager) -> Single[UserView]:
        """Get a user."""
        return Single(data=UserView.of(await users.get(actor.org_id, user_id)))

    @router.patch("/{user_id}")
    async def change_user(user_id: UUID, body: UserChange, actor: Actor = manager) -> Single[UserView]:
        """Change a user's address, name or role.

        A new role holds for all of the user's tokens within a second. The last active owner stays one.
        """
        changed = await users.update(actor, user_id, email=body.email, name=body.name, role=body.role)
        return Single(data=UserView.of(changed))

    @router.post("/{user_id}/suspend")
    async def suspend_user(user_id: UUID, actor: Actor = manager) -> Single[UserView]:
        """Refuse a user's tokens until the user is resumed."""
        return Single(data=UserView.of(await users.suspend(actor, user_id)))

    @router.post("/{user_id}/resume")
    async def resume_user(user_id: UUID, actor: Actor = manager) -> Single[UserView]:
        """Let a suspended user's tokens be used again."""
        return Single(data=UserView.of(await users.resume(actor, user_id)))

    @router.delete("/{user_id}", status_code=204)
    async def remove_user(user_id: UUID, actor: Actor = manager) -> None:
        """Remove a user.

        The user's tokens are revoked, address and name are erased; the id stays for the audit.
        """
        await users.remove(actor, user_id)

    return router
