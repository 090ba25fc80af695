"""What can be done to tokens."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID

from psycopg import errors

from ibex.auth import audit
from ibex.auth.actor import Actor
from ibex.auth.audit import AuditEvent
from ibex.auth.changes import Change, ChangeLog
from ibex.auth.names import checked_name, invalid, no_access
from ibex.auth.permissions import Grant, Permission, PlatformRight
from ibex.auth.tokens import repository, secret
from ibex.auth.tokens.repository import NewToken, TokenRecord
from ibex.auth.tokens.secret import Token
from ibex.errors import ErrorCode, IbexError
from ibex.http import Network, are_within, parse_networks
from ibex.ids import uuid7
from ibex.storage import Connection, Postgres

LONGEST_OVERLAP = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class TokenRequest:
    """What a new token is to be. `agent_id` is the only agent it may act for, `default_agent_id` the one
    for calls that name none; they exclude each other."""

    name: str
    grant: Grant
    agent_id: UUID | None = None
    default_agent_id: UUID | None = None
    user_id: UUID | None = None
    networks: Sequence[Network] = ()
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class IssuedToken:
    """A token and its text, which is shown this once."""

    record: TokenRecord
    text: str = field(repr=False)


class TokenService:
    """Tokens of one organization; each change is one transaction, audited and told to every process."""

    def __init__(self, postgres: Postgres, changes: ChangeLog, pepper: bytes) -> None:
        self._postgres = postgres
        self._changes = changes
        self._pepper = pepper

    async def create(self, actor: Actor, request: TokenRequest, token: Token | None = None) -> IssuedToken:
        """Store a new token that can do no more than its creator.

        Raises VALIDATION_ERROR, and INSUFFICIENT_PERMISSIONS for what the creator lacks, ACCESS_DENIED for an
        agent or user that is not the organization's.
        """
        request = _limited(actor, request)
        token = token or secret.generate(uuid7())
        try:
            async with self._postgres.transaction(actor.org_id) as connection:
                await self._insert(connection, actor, request, token)
                await audit.record(
                    connection,
                    AuditEvent.of(
                        actor, "token.create", token.id, permissions=" ".join(request.grant.labels())
                    ),
                )
        except errors.ForeignKeyViolation as error:
            raise no_access("user" if "user" in str(error) else "agent") from None
        return await self._issued(actor.org_id, token)

    def text_of(self, token: Token) -> str:
        """What the holder of a token that is about to be created will send."""
        return token.text(self._pepper)

    async def rotate(self, actor: Actor, token_id: UUID, overlap: timedelta) -> IssuedToken:
        """Another token that can do the same; the old one goes on for `overlap`.

        Raises VALIDATION_ERROR when the token is no longer valid or was rotated before, ACCESS_DENIED when
        there is none, INSUFFICIENT_PERMISSIONS when it can do more than the actor.
        """
        if not timedelta() <= overlap <= LONGEST_OVERLAP:
            raise invalid("overlap_seconds", f"An overlap has 0 to {LONGEST_OVERLAP.days} days.")
        old = await self.get(actor.org_id, token_id)
        request = _limited(
            actor,
            TokenRequest(
                name=old.name,
                grant=Grant(Permission(old.permissions), PlatformRight(old.platform)),
                agent_id=old.agent_id,
                default_agent_id=old.default_agent_id,
                user_id=old.user_id,
                networks=parse_networks(old.allowed_networks),
                expires_at=old.expires_at,
            ),
        )
        token = secret.generate(uuid7())
        change = Change("token", token_id)
        async with self._postgres.transaction(actor.org_id) as connection:
            if not await repository.replace(connection, token_id, token.id, overlap.total_seconds()):
                raise invalid(
                    "token", "Only a token that is valid, and was not rotated before, can be rotated."
                )
            await self._insert(connection, actor, request, token)
            await audit.record(
                connection, AuditEvent.of(actor, "token.rotate", token_id, replaced_by=str(token.id))
            )
            await self._changes.note(connection, change)
        await self._changes.announce(change)
        return await self._issued(actor.org_id, token)

    async def page(self, org_id: UUID, after: UUID | None, limit: int) -> list[TokenRecord]:
        return await repository.page(self._postgres, org_id, after, limit)

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
        await repository.insert(
            connection,
            actor.org_id,
            NewToken(
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
            ),
        )

    async def _issued(self, org_id: UUID, token: Token) -> IssuedToken:
        return IssuedToken(await self.get(org_id, token.id), token.text(self._pepper))


def _limited(actor: Actor, request: TokenRequest) -> TokenRequest:
    """The request as far as the actor may grant it; what goes beyond that is refused, never left out."""
    name = checked_name(request.name)
    if request.agent_id and request.default_agent_id:
        raise invalid("default_agent_id", "A token is bound to an agent or has a default one, not both.")
    excess = request.grant.without(actor.grant)
    if excess:
        raise _beyond(f"The token that creates it does not hold: {', '.join(excess.labels())}.")
    if actor.agent_id is not None and request.agent_id != actor.agent_id:
        raise _beyond("A token that is bound to an agent creates tokens for that agent only.")
    if not are_within(request.networks, actor.networks):
        raise _beyond("The new token may be used from more networks than the token that creates it.")
    expires_at = request.expires_at
    if expires_at is not None and expires_at.tzinfo is None:
        raise invalid("expires_at", "Say in which time zone: 2030-01-31T12:00:00Z.")
    if expires_at is not None and expires_at <= datetime.now(UTC):
        raise invalid("expires_at", "The expiry lies in the past.")
    if actor.until is not None and (expires_at is None or expires_at > actor.until):
        raise _beyond("The new token is valid for longer than the token that creates it.")
    return TokenRequest(
        name,
        request.grant,
        request.agent_id,
        request.default_agent_id,
        request.user_id,
        tuple(request.networks),
        expires_at,
    )


def _beyond(detail: str) -> IbexError:
    return IbexError(
        ErrorCode.INSUFFICIENT_PERMISSIONS,
        "A token can grant no more than it holds itself.",
        detail=detail,
    )
