"""Creates what a test needs, through the same code as the command line."""

from types import TracebackType
from typing import Any, Self
from uuid import UUID

from ibex.auth import (
    CHAT,
    NO_RIGHT,
    Actor,
    Administration,
    Agent,
    Grant,
    IssuedToken,
    KeyRing,
    Permission,
    Quota,
    TokenRequest,
    token_id,
)
from ibex.settings import Settings
from ibex.storage import Postgres, connect_single

PEPPER = b"a pepper for tests, thirty-two bytes"
MASTER_KEY = "5f" * 32
KEYS = KeyRing.given(MASTER_KEY)
PROVIDERS = ("openai", "other", "mock")
QUOTA = Quota.of(Settings())


class Operator:
    """An administrator with a pool of their own."""

    def __init__(
        self,
        postgres_dsn: str,
        redis_url: str,
        keys: KeyRing = KEYS,
        *,
        quota: Quota = QUOTA,
        connections: int = 2,
    ) -> None:
        self.keys = keys
        self.postgres = Postgres(postgres_dsn, connections=connections)
        self.redis = connect_single(redis_url, timeout=5.0)
        self.administration = Administration.over(self.postgres, self.redis, PEPPER, keys, PROVIDERS, quota)

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
        organization = await self.administration.organizations.create("test", slug.title(), slug)
        await self.administration.agents.create(self.actor(organization.id), "Helper", "helper")
        return organization.id

    def actor(self, org_id: UUID) -> Actor:
        """Somebody on the machine, who may do everything in an organization."""
        return Actor.local(org_id, "test")

    async def agent(self, org_id: UUID, slug: str = "helper") -> Agent:
        return await self.administration.agents.find_by_slug(org_id, slug)

    async def create_agent(self, org_id: UUID, name: str, slug: str) -> Agent:
        return await self.administration.agents.create(self.actor(org_id), name, slug)

    async def pause(self, org_id: UUID, slug: str = "helper") -> None:
        await self.administration.agents.pause(self.actor(org_id), (await self.agent(org_id, slug)).id)

    async def resume(self, org_id: UUID, slug: str = "helper") -> None:
        await self.administration.agents.resume(self.actor(org_id), (await self.agent(org_id, slug)).id)

    async def revoke(self, org_id: UUID, token: str | UUID) -> None:
        """Revoke a token, by its text or its id."""
        found = token if isinstance(token, UUID) else token_id(token)
        assert found is not None
        await self.administration.tokens.revoke(self.actor(org_id), found)

    async def token(
        self, org_id: UUID, permissions: Permission = CHAT, agent: str | None = "helper", name: str = "test"
    ) -> str:
        """The text of a new token, bound to an agent unless that is None."""
        return (await self.issue(org_id, permissions, agent, name)).text

    async def issue(
        self,
        org_id: UUID,
        permissions: Permission = CHAT,
        agent: str | None = "helper",
        name: str = "test",
        **fields: Any,
    ) -> IssuedToken:
        """A new token, with what is known of it; `fields` are those of `TokenRequest`."""
        bound = (await self.agent(org_id, agent)).id if agent else None
        request = TokenRequest(
            name, Grant(permissions, fields.pop("platform", NO_RIGHT)), agent_id=bound, **fields
        )
        return await self.administration.tokens.create(self.actor(org_id), request)
