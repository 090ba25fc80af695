"""On whose behalf a change is made, and so how far it may go."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Self
from uuid import UUID

from ibex.auth.permissions import EVERYTHING, Grant, Permission
from ibex.auth.principal import Principal
from ibex.http import Network

_NOWHERE = UUID(int=0)


@dataclass(frozen=True, slots=True)
class Actor:
    """Somebody who changes something in one organization.

    `name` is what the audit calls it: `token:<id>`, `cli` or `system`. A token that it creates can do no more
    than `grant`, for no other agent than `agent_id`, from no wider `networks`, no longer than `until`. `home`
    is the organization that it comes from when it acts on another one.
    """

    org_id: UUID
    name: str
    grant: Grant
    token_id: UUID | None = None
    user_id: UUID | None = None
    agent_id: UUID | None = None
    networks: Sequence[Network] = ()
    until: datetime | None = None
    address: str | None = None
    request_id: UUID | None = None
    home: UUID | None = None

    @classmethod
    def local(cls, org_id: UUID, name: str) -> Self:
        """Somebody on the machine itself, who may do everything: `cli` or `system`."""
        return cls(org_id, name, EVERYTHING)

    @classmethod
    def outside(cls, name: str) -> Self:
        """Somebody on the machine itself, who belongs to no organization."""
        return cls(_NOWHERE, name, EVERYTHING)

    @classmethod
    def of(cls, principal: Principal, address: str | None, request_id: UUID) -> Self:
        """Whoever holds a token."""
        return cls(
            org_id=principal.org_id,
            name=f"token:{principal.token_id}",
            grant=Grant(principal.permissions, principal.platform),
            token_id=principal.token_id,
            user_id=principal.user_id,
            agent_id=principal.bound_agent_id,
            networks=principal.allowed_networks,
            until=principal.expires_at,
            address=address,
            request_id=request_id,
        )

    def may(self, permission: Permission) -> bool:
        return permission in self.grant.permissions

    def within(self, org_id: UUID) -> Self:
        """The same somebody, acting on another organization; for holders of a platform right only."""
        home = None if self.org_id in (org_id, _NOWHERE) else self.org_id
        return replace(self, org_id=org_id, home=home)
