"""Limiters on a real Redis, and what is asked of them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from uuid import UUID

from ibex.auth import LimitSet, RateLimiter, Verdict
from ibex.auth.limits import Hold, Limit
from ibex.ids import uuid7
from ibex.storage import Redis


@dataclass(slots=True)
class Limiter:
    """A limiter, and the organizations it told that it counts by itself, and that Redis does again."""

    limiter: RateLimiter
    told: list[UUID] = field(default_factory=list)
    restored: list[UUID] = field(default_factory=list)

    @property
    def is_prepared(self) -> bool:
        """Whether Redis has been reached once, and given the script."""
        return self.limiter._shared._sha != ""

    async def check(self, org_id: UUID, under: LimitSet, tokens: int = 0) -> Verdict:
        """One request that never ends."""
        return (await self.limiter.check(org_id, under, tokens))[0]

    async def admit(self, org_id: UUID, under: LimitSet, tokens: int = 0) -> Hold:
        """One request that is admitted, and goes on until its hold ends."""
        verdict, hold = await self.limiter.check(org_id, under, tokens)
        assert verdict.admitted
        assert hold is not None
        return hold

    async def ask(self, org_id: UUID, under: LimitSet, times: int, tokens: int = 0) -> list[Verdict]:
        """So many at once."""
        return await asyncio.gather(*(self.check(org_id, under, tokens) for _ in range(times)))


@asynccontextmanager
async def limiting(
    redis: Redis,
    name: str = "one",
    within: float = 5.0,
    is_present: bool = True,
    processes_at_start: int = 1,
) -> AsyncIterator[Limiter]:
    told: list[UUID] = []
    restored: list[UUID] = []
    limiter = RateLimiter(
        redis,
        process_id=name,
        timeout=within,
        on_fallback=told.append,
        on_restore=restored.append,
        processes_at_start=processes_at_start,
    )
    if is_present:
        limiter.start()
    try:
        yield Limiter(limiter, told, restored)
    finally:
        await limiter.stop()


def limits(token: int, agent: int, organization: int, org_id: UUID | None = None) -> LimitSet:
    """Requests per minute."""
    return LimitSet.of(
        (
            Limit("token", "requests", str(uuid7()), token),
            Limit("agent", "requests", str(uuid7()), agent),
            Limit("organization", "requests", str(org_id or uuid7()), organization),
        )
    )


def concurrent(most: int, agent: str | None = None) -> LimitSet:
    return LimitSet.of([Limit("agent", "concurrent", agent or str(uuid7()), most)])


def tokens(most: int, agent: str | None = None) -> LimitSet:
    return LimitSet.of([Limit("agent", "tokens", agent or str(uuid7()), most)])


def admitted(verdicts: list[Verdict]) -> int:
    return sum(verdict.admitted for verdict in verdicts)
