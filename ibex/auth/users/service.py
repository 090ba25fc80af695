"""What can be done to users."""

from uuid import UUID

from psycopg import errors

from ibex.auth import audit
from ibex.auth.actor import Actor
from ibex.auth.audit import AuditEvent
from ibex.auth.changes import Change, ChangeLog
from ibex.auth.names import beyond, checked_name, conflict, invalid, no_access, taken
from ibex.auth.organizations.quota import Quota
from ibex.auth.permissions import permission_labels
from ibex.auth.roles import ROLES, Role
from ibex.auth.tokens import repository as tokens
from ibex.auth.users import repository
from ibex.auth.users.email import checked_email
from ibex.auth.users.repository import User
from ibex.errors import IbexError
from ibex.ids import uuid7
from ibex.storage import Connection, Postgres


class UserService:
    """Users of one organization; each change is one transaction, audited and told to every process.

    Nobody gives, changes or takes a role with permissions that they lack. An organization that has an active
    owner keeps one.
    """

    def __init__(self, postgres: Postgres, changes: ChangeLog, quota: Quota) -> None:
        self._postgres = postgres
        self._changes = changes
        self._quota = quota

    async def create(self, actor: Actor, email: str, name: str, role: Role) -> User:
        """Raises VALIDATION_ERROR, CONFLICT when the address is taken or there are too many users, and
        INSUFFICIENT_PERMISSIONS for a role beyond the actor's."""
        _require_role(actor, role)
        user_id = uuid7()
        try:
            async with self._postgres.transaction(actor.org_id) as connection:
                await self.add(connection, actor, user_id, email, name, role)
        except errors.UniqueViolation:
            raise _address_taken() from None
        return await self.get(actor.org_id, user_id)

    async def add(
        self, connection: Connection, actor: Actor, user_id: UUID, email: str, name: str, role: Role
    ) -> None:
        """As `create`, in the caller's transaction."""
        await repository.insert(
            connection, actor.org_id, user_id, checked_email(email), _checked_name(name), role
        )
        await audit.record(connection, AuditEvent.of(actor, "user.create", user_id, role=role))
        self._quota.check_users(await repository.count(connection))

    async def page(
        self, org_id: UUID, after: UUID | None, limit: int, status: str | None = None
    ) -> list[User]:
        """Without a status, all but those who were removed."""
        return await repository.page(self._postgres, org_id, after, limit, status)

    async def get(self, org_id: UUID, user_id: UUID) -> User:
        """Raises ACCESS_DENIED when the organization has no such user."""
        user = await repository.find(self._postgres, org_id, user_id)
        if user is None:
            raise no_access("user")
        return user

    async def find_by_email(self, org_id: UUID, email: str) -> User:
        """Raises VALIDATION_ERROR when the organization has no such user."""
        user = await repository.find_by_email(self._postgres, org_id, checked_email(email))
        if user is None:
            raise invalid("email", f"There is no user `{email[:80]}` in this organization.")
        return user

    async def update(
        self,
        actor: Actor,
        user_id: UUID,
        *,
        email: str | None = None,
        name: str | None = None,
        role: Role | None = None,
    ) -> User:
        """Change what is given. A role holds at once for all tokens of the user."""
        change = Change("user", user_id)
        try:
            async with self._postgres.transaction(actor.org_id) as connection:
                user = await _to_change(connection, actor, user_id)
                new_role = role or user.role
                _require_role(actor, new_role)
                if new_role != "owner":
                    await _keep_an_owner(connection, user)
                if user.role == "owner" != new_role:
                    # Before the user: who rotates a token locks the rows in this order as well.
                    await tokens.drop_platform_rights(connection, user_id)
                await repository.update(
                    connection,
                    user_id,
                    None if email is None else checked_email(email),
                    None if name is None else _checked_name(name),
                    new_role,
                )
                await audit.record(
                    connection,
                    AuditEvent.of(actor, "user.update", user_id, role=new_role, role_before=user.role),
                )
                await self._changes.note(connection, change)
        except errors.UniqueViolation:
            raise _address_taken() from None
        await self._changes.announce(change)
        return await self.get(actor.org_id, user_id)

    async def suspend(self, actor: Actor, user_id: UUID) -> User:
        """Refuse the user's tokens until they are resumed."""
        return await self._set_status(actor, user_id, "suspended", "user.suspend")

    async def resume(self, actor: Actor, user_id: UUID) -> User:
        return await self._set_status(actor, user_id, "active", "user.resume")

    async def remove(self, actor: Actor, user_id: UUID) -> None:
        """Revoke the user's tokens and forget who it was; done already, nothing happens."""
        change = Change("user", user_id)
        async with self._postgres.transaction(actor.org_id) as connection:
            user = await repository.find_to_change(connection, actor.org_id, user_id)
            if user is None:
                raise no_access("user")
            if user.status == "removed":
                return
            _require_role(actor, user.role)
            await _keep_an_owner(connection, user)
            revoked = await tokens.revoke_of_user(connection, user_id)
            await repository.remove(connection, user_id)
            await audit.record(
                connection, AuditEvent.of(actor, "user.remove", user_id, tokens_revoked=revoked)
            )
            await self._changes.note(connection, change)
        await self._changes.announce(change)

    async def _set_status(self, actor: Actor, user_id: UUID, status: str, action: str) -> User:
        change = Change("user", user_id)
        async with self._postgres.transaction(actor.org_id) as connection:
            user = await _to_change(connection, actor, user_id)
            if status != "active":
                await _keep_an_owner(connection, user)
            await repository.set_status(connection, user_id, status)
            await audit.record(connection, AuditEvent.of(actor, action, user_id))
            await self._changes.note(connection, change)
        await self._changes.announce(change)
        return await self.get(actor.org_id, user_id)


async def _to_change(connection: Connection, actor: Actor, user_id: UUID) -> User:
    """A user whom the actor may change."""
    user = await repository.find_to_change(connection, actor.org_id, user_id)
    if user is None:
        raise no_access("user")
    if user.status == "removed":
        raise conflict("The user was removed; only the id is left.")
    _require_role(actor, user.role)
    return user


async def _keep_an_owner(connection: Connection, user: User) -> None:
    is_owner = user.role == "owner" and user.status == "active"
    if is_owner and await repository.active_owners(connection) == 1:
        raise conflict("This is the last active owner of the organization. Make another user an owner first.")


def _require_role(actor: Actor, role: Role) -> None:
    missing = ROLES[role] & ~actor.grant.permissions
    if missing:
        raise beyond(
            f"A token that lacks permissions of the role `{role}` can neither give, change nor take it.",
            f"Missing: {', '.join(permission_labels(missing))}.",
        )


def _checked_name(name: str) -> str:
    return checked_name(name) if name else ""


def _address_taken() -> IbexError:
    return taken("email", "There is a user with this address already.")
