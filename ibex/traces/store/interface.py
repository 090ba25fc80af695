"""What a store of traces can do, whatever engine it is."""

from collections.abc import Mapping, Sequence
from typing import Protocol
from uuid import UUID

from ibex.traces.store.figures import Cost, Expired, MemoryUse, Span, StepTime
from ibex.traces.store.questions import Position, Selection
from ibex.traces.trace import Trace


class TraceStore(Protocol):
    """Keeps traces, and answers for one organization at a time.

    Everything raises `DatabaseUnavailableError` when the store is away, and may be tried again.
    """

    async def insert(self, traces: Mapping[UUID, Sequence[Trace]]) -> None:
        """By organization. Those that are there already, by time and id, stay as they are."""
        ...

    async def page(self, org_id: UUID, chosen: Selection, after: Position | None, limit: int) -> list[Trace]:
        """The newest first."""
        ...

    async def find(self, org_id: UUID, reference: UUID, first_of: UUID | None = None) -> Trace | None:
        """The trace of a request; else the first call of the trace with that id.

        Several agents may have calls of one trace: those of the agent `first_of` come before all others.
        """
        ...

    async def overview(self, org_id: UUID, chosen: Selection, seconds: int) -> list[Span]:
        """All calls together, then those of each so many seconds since 1970 in which there are any."""
        ...

    async def latency(self, org_id: UUID, chosen: Selection) -> list[StepTime]:
        """By name: each step, and `overhead`, `first_byte` and `total`."""
        ...

    async def costs(self, org_id: UUID, chosen: Selection, limit: int) -> list[Cost]:
        """What costs most first."""
        ...

    async def memory(self, org_id: UUID, chosen: Selection) -> MemoryUse: ...

    async def prepare(self) -> None:
        """Make room for what is to come."""
        ...

    async def expire(self, days: int, *, dry_run: bool) -> list[Expired]:
        """Forget what is older than so many days, of every organization; in a dry run only say what."""
        ...

    async def forget(self, org_id: UUID) -> None:
        """Forget everything of an organization that is gone."""
        ...

    async def ping(self) -> None: ...

    async def close(self) -> None: ...
