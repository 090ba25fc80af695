"""Creates what a test needs, through the same code as the command line."""

from types import TracebackType
from typing import Self
from uuid import UUID

from ibex.auth import CHAT, Administration, Permission
from ibex.storage import Postgres, connect_single

PEPPER = b"a pepper for tests, thirty-two bytes"


class Operator:
    """An administrator with a pool of their own."""

    def __init__(self, postgres_dsn: str, redis_url: str) -> None:
        self.postgres = Postgres(postgres_dsn, connections=2)
        self.redis = connect_single(redis_url, timeout=5.0)
        self.administration = Administration(self.postgres, self.redis, PEPPER, actor="test")

    async def __aenter__(self) -> Self:
        await self.postgres.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.redis.aclose()
        await self.postgres.close()

    async def organization(self, slug: str = "acme") -> UUID:
        """A new organization with one agent, `helper`."""
        organization = await self.administration.create_organization(slug, slug.title())
        await self.administration.create_agent(organization.id, "Helper", "helper")
        return organization.id

    async def token(
        self, org_id: UUID, permissions: Permission = CHAT, agent: str | None = "helper", name: str = "test"
    ) -> str:
        """The text of a new token, bound to an agent unless that is None."""
        return str(await self.administration.create_token(org_id, name, permissions, agent=agent))
