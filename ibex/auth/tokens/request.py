"""What a new token is to be, and how far that may go."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

from ibex.auth.actor import Actor
from ibex.auth.names import beyond, checked_name, invalid
from ibex.auth.permissions import Grant, Permission, permission_labels
from ibex.auth.roles import ROLES, Role
from ibex.errors import IbexError
from ibex.http import Network, are_within

# Far enough for everybody, and well within what a database can store.
_LONGEST_LIFE = timedelta(days=36_525)


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


def limited(actor: Actor, request: TokenRequest) -> TokenRequest:
    """The request as far as the actor may grant it; what goes beyond that is refused, never left out.

    Raises VALIDATION_ERROR and INSUFFICIENT_PERMISSIONS.
    """
    name = checked_name(request.name)
    if request.agent_id and request.default_agent_id:
        raise invalid("default_agent_id", "A token is bound to an agent or has a default one, not both.")
    excess = request.grant.without(actor.grant)
    if excess:
        raise _beyond(f"The token that creates it does not hold: {', '.join(excess.labels())}.")
    if actor.agent_id is not None and request.agent_id != actor.agent_id:
        raise _beyond("A token that is bound to an agent creates tokens for that agent only.")
    # Else whoever is suspended or removed would have left themselves a way in.
    if request.user_id != actor.user_id and not actor.may(Permission.ADMIN_USERS):
        raise _beyond("A token creates tokens for its own user only, unless it holds: admin:users.")
    if not are_within(request.networks, actor.networks):
        raise _beyond("The new token may be used from more networks than the token that creates it.")
    _check_expiry(actor, request.expires_at)
    return replace(request, name=name, networks=tuple(request.networks))


def fitting(grant: Grant, role: Role) -> None:
    """Check that a user with this role may have a token with this grant. Raises VALIDATION_ERROR."""
    excess = grant.permissions & ~ROLES[role]
    if excess:
        lacking = ", ".join(permission_labels(excess))
        raise invalid("permissions", f"The user's role, `{role}`, does not have: {lacking}.")
    if grant.platform and role != "owner":
        raise invalid("permissions", "Of all users only owners can have rights over the installation.")


def _check_expiry(actor: Actor, expires_at: datetime | None) -> None:
    now = datetime.now(UTC)
    if expires_at is not None:
        if expires_at.tzinfo is None:
            raise invalid("expires_at", "Say in which time zone: 2030-01-31T12:00:00Z.")
        if expires_at <= now:
            raise invalid("expires_at", "The expiry lies in the past.")
        if expires_at > now + _LONGEST_LIFE:
            raise invalid("expires_at", "The expiry lies more than a hundred years ahead.")
    if actor.until is not None and (expires_at is None or expires_at > actor.until):
        raise _beyond("The new token is valid for longer than the token that creates it.")


def _beyond(detail: str) -> IbexError:
    return beyond("A token can grant no more than it holds itself.", detail)
