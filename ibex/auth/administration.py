"""Everything that can be administered, over one pool."""

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Self

from redis.asyncio import Redis

from ibex.auth.agents.service import AgentService
from ibex.auth.changes import ChangeLog
from ibex.auth.organizations.service import OrganizationService
from ibex.auth.tokens.service import TokenService
from ibex.storage import Postgres

# Any constant does, as long as every replica uses the same.
_LOCK = 0x1BE0_0002


@dataclass(frozen=True, slots=True)
class Administration:
    """The services behind the command line and the REST interface."""

    postgres: Postgres
    changes: ChangeLog
    organizations: OrganizationService
    agents: AgentService
    tokens: TokenService

    @classmethod
    def over(cls, postgres: Postgres, redis: Redis, pepper: bytes) -> Self:
        changes = ChangeLog(redis)
        return cls(
            postgres=postgres,
            changes=changes,
            organizations=OrganizationService(postgres, changes),
            agents=AgentService(postgres, changes),
            tokens=TokenService(postgres, changes, pepper),
        )

    def alone(self) -> AbstractAsyncContextManager[object]:
        """While this is entered, no other process of any replica is in it."""
        return self.postgres.locked(_LOCK)
