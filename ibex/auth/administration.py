"""Everything that can be administered, over one pool."""

from collections.abc import Collection
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Self

from redis.asyncio import Redis

from ibex.auth.agents.service import AgentService
from ibex.auth.audit import AuditService
from ibex.auth.changes import ChangeLog
from ibex.auth.credentials.key_ring import KeyRing
from ibex.auth.credentials.service import CredentialService
from ibex.auth.limits.service import LimitService
from ibex.auth.organizations.founding import Founding
from ibex.auth.organizations.quota import Quota
from ibex.auth.organizations.service import OrganizationService
from ibex.auth.tokens.service import TokenService
from ibex.auth.users.service import UserService
from ibex.storage import Postgres

# Any constant does, as long as every replica uses the same.
_LOCK = 0x1BE0_0002


@dataclass(frozen=True, slots=True)
class Administration:
    """The services behind the command line and the REST interface."""

    postgres: Postgres
    changes: ChangeLog
    organizations: OrganizationService
    founding: Founding
    users: UserService
    agents: AgentService
    tokens: TokenService
    credentials: CredentialService
    limits: LimitService
    audit: AuditService

    @classmethod
    def over(
        cls,
        postgres: Postgres,
        redis: Redis,
        pepper: bytes,
        keys: KeyRing,
        providers: Collection[str],
        quota: Quota,
    ) -> Self:
        """`keys` seal what organizations store for `providers`, which are named; `quota` is that of each."""
        changes = ChangeLog(redis)
        organizations = OrganizationService(postgres, changes)
        users = UserService(postgres, changes, quota)
        tokens = TokenService(postgres, changes, pepper, quota)
        return cls(
            postgres=postgres,
            changes=changes,
            organizations=organizations,
            founding=Founding(organizations, users, tokens),
            users=users,
            agents=AgentService(postgres, changes, quota),
            tokens=tokens,
            credentials=CredentialService(postgres, changes, keys, providers),
            limits=LimitService(postgres, changes),
            audit=AuditService(postgres),
        )

    def alone(self) -> AbstractAsyncContextManager[object]:
        """While this is entered, no other process of any replica is in it."""
        return self.postgres.locked(_LOCK)
