"""What can be done to tokens."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from psycopg import errors

from ibex.auth import audit
from ibex.auth.actor import Actor
from ibex.auth.audit import AuditEvent
from ibex.auth.changes import Change, ChangeLog
from ibex.auth.names import conflict, invalid, no_access
from ibex.auth.organizations.quota import Quota
from ibex.auth.permissions import Grant, Permission, PlatformRight
from ibex.auth.tokens import repository, secret
from ibex.auth.tokens.repository import EVERY_TOKEN, NewToken, Selection, TokenRecord
from ibex.auth.tokens.request import TokenRequest, fitting, limited
from ibex.auth.tokens.secret import Token
from ibex.auth.users import repository as users
from ibex.http import parse_networks
from ibex.ids import uuid7
from ibex.storage import Connection, Postgres

LONGEST_OVERLAP = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class IssuedToken:
    """A token and its text, which is shown this once."""

    record: TokenRecord
    text: str = field(repr=False)


class TokenService:
    """Tokens of one organization; each change is one transaction, audited and told to every process."""

    def __init__(self, postgres: Postgres, changes: ChangeLog, pepper: bytes, quota: Quota) -> None:
        self._postgres = postgres
        self._changes = changes
        self._pepper = pepper
        self._quota = quota

    async def create(self, actor: Actor, request: TokenRequest, token: Token | None = None) -> IssuedToken:
        """Store a new token that can do no more than its creator.

        Raises VALIDATION_ERROR, and INSUFFICIENT_PERMISSIONS for what the creator lacks, ACCESS_DENIED for an
        agent or user that is not the organization's, CONFLICT when there are too many tokens.
        """
        request = limited(actor, request)
        token = token or secret.generate(uuid7())
        async with self._postgres.transaction(actor.org_id) as connection:
            await self.add(connection, actor, request, token)
        return await self.issued(actor.org_id, token)

    async def add(self, connection: Connection, actor: Actor, request: TokenRequest, token: Token) -> None:
        """As `create`, in the caller's transaction and as far as the caller lets it go."""
        await self._insert(connection, actor, request, token)
        await audit.record(
            connection,
            AuditEvent.of(actor, "token.create", token.id, permissions=" ".join(request.grant.labels())),
        )
        self._quota.check_tokens((await repository.count(connection)).lasting)

    async def issued(self, org_id: UUID, token: Token) -> IssuedToken:
        """A token that has just been added, with its text."""
        return IssuedToken(await self.get(org_id, token.id), self.text_of(token))

    def text_of(self, token: Token) -> str:
        """What the holder of a token that is about to be created will send."""
        return token.text(self._pepper)

    async def rotate(
        self, actor: Actor, token_id: UUID, overlap: timedelta, expires_at: datetime | None = None
    ) -> IssuedToken:
        """Another token that can do the same; the old one goes on for `overlap`.

        The new one expires when the old one did, unless another time is given. It takes the place of the old
        one, so an organization with all the tokens that it may have rotates them as any other does.

        Raises CONFLICT when the token is no longer valid or was rotated before, or too many go on for an
        overlap, ACCESS_DENIED when there is none, INSUFFICIENT_PERMISSIONS when it can do more than the
        actor.
        """
        if not timedelta() <= overlap <= LONGEST_OVERLAP:
            raise invalid("overlap_seconds", f"An overlap has 0 to {LONGEST_OVERLAP.days} days.")
        old = await self.get(actor.org_id, token_id)
        request = limited(
            actor,
            TokenRequest(
                name=old.name,
                grant=Grant(Permission(old.permissions), PlatformRight(old.platform)),
                agent_id=old.agent_id,
                default_agent_id=old.default_agent_id,
                user_id=old.user_id,
                networks=parse_networks(old.allowed_networks),
                expires_at=expires_at or old.expires_at,
            ),
        )
        token = secret.generate(uuid7())
        change = Change("token", token_id)
        async with self._postgres.transaction(actor.org_id) as connection:
            if not await repository.replace(connection, token_id, token.id, overlap.total_seconds()):
                raise conflict("Only a token that is valid, and was not rotated before, can be rotated.")
            await self._insert(connection, actor, request, token)
            await audit.record(
                connection, AuditEvent.of(actor, "token.rotate", token_id, replaced_by=str(token.id))
            )
            if overlap:
                self._quota.check_overlaps((await repository.count(connection)).overlapping)
            await self._changes.note(connection, change)
        await self._changes.announce(change)
        return await self.issued(actor.org_id, token)

    async def page(
        self, org_id: UUID, after: UUID | None, limit: int, selection: Selection = EVERY_TOKEN
    ) -> list[TokenRecord]:
        return await repository.page(self._postgres, org_id, after, limit, selection)

    async def get(self, org_id: UUID, token_id: UUID) -> TokenRecord:
        """Raises ACCESS_DENIED when the organization has no such token."""
        record = await repository.find(self._postgres, org_id, token_id)
        if record is None:
            raise no_access("token")
        return record

    async def revoke(self, actor: Actor, token_id: UUID) -> None:
        """Refuse it from now on, everywhere. Raises ACCESS_DENIED when there is none."""
        change = Change("token", token_id)
        async with self._postgres.transaction(actor.org_id) as connection:
            if not await repository.revoke(connection, token_id):
                raise no_access("token")
            await audit.record(connection, AuditEvent.of(actor, "token.revoke", token_id))
            await self._changes.note(connection, change)
        await self._changes.announce(change)

    async def _insert(
        self, connection: Connection, actor: Actor, request: TokenRequest, token: Token
    ) -> None:
        if request.user_id is not None:
            user = await users.find_to_rely_on(connection, request.user_id)
            if user is None or user.status == "removed":
                raise no_access("user")
            fitting(request.grant, user.role)
        row = NewToken(
            id=token.id,
            name=request.name,
            secret_hash=secret.secret_hash(token, self._pepper),
            permissions=int(request.grant.permissions),
            platform=int(request.grant.platform),
            agent_id=request.agent_id,
            default_agent_id=request.default_agent_id,
            user_id=request.user_id,
            allowed_networks=[str(network) for network in request.networks],
            created_by=actor.token_id,
            expires_at=request.expires_at,
        )
        try:
            await repository.insert(connection, actor.org_id, row)
        except errors.ForeignKeyViolation:
            raise no_access("agent") from None
