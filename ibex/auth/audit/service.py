"""Reading an organization's audit, and proving that nothing in it was changed."""

from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass, replace
from uuid import UUID

from ibex.auth.actor import Actor
from ibex.auth.audit import lines, repository
from ibex.auth.audit.chain import ChainWalk, Damage, Head, StoredEvent, Verdict
from ibex.auth.audit.event import AuditEvent, record
from ibex.auth.audit.repository import Seal, Selection
from ibex.storage import Postgres

# Events that are read at once: what an export or a verification keeps in memory.
_BATCH = 1_000


@dataclass(frozen=True, slots=True)
class Export:
    """Events as lines of JSON, up to the head that there was when the export began; batch after batch."""

    head: Head
    batches: AsyncIterator[bytes]


class AuditService:
    """One organization's audit at a time."""

    def __init__(self, postgres: Postgres) -> None:
        self._postgres = postgres

    async def page(
        self, org_id: UUID, before: int | None, limit: int, selection: Selection
    ) -> list[StoredEvent]:
        """Selected events, the newest first."""
        return await repository.newest(self._postgres, org_id, before, limit, selection)

    async def head(self, org_id: UUID) -> Head:
        return await repository.head(self._postgres, org_id)

    async def export(self, actor: Actor, selection: Selection, after: int = 0) -> Export:
        """Selected events above a number, in their order; that they were taken is the last of them."""
        async with self._postgres.transaction(actor.org_id) as connection:
            event = AuditEvent.of(actor, "audit.export", actor.org_id)
            await record(connection, replace(event, detail=_chosen(selection, after)))
        head = await self.head(actor.org_id)
        return Export(head, self._batches(actor.org_id, selection, after, head.number))

    async def verify(self, org_id: UUID, noted: Head | None = None) -> Verdict:
        """Compute every hash anew, and compare what the database says of the whole.

        Events that are written meanwhile are left to the next time.
        """
        walk = ChainWalk(str(org_id), noted)
        seal = await repository.seal(self._postgres, org_id)
        if seal is None:
            return walk.end()
        while walk.head.number < seal.number:
            after = walk.head.number
            to = min(after + _BATCH, seal.number)
            events = await repository.within(self._postgres, org_id, after, to, Selection())
            if not events:
                return walk.end(Damage(after + 1, "it is missing"))
            for event in events:
                if damage := walk.follow(event):
                    return walk.end(damage)
        return walk.end(_contradiction(walk.head, seal))

    async def _batches(self, org_id: UUID, selection: Selection, after: int, to: int) -> AsyncIterator[bytes]:
        """Numbers are walked through in steps, so that no statement is long, however few are selected."""
        while after < to:
            step = min(after + _BATCH, to)
            events = await repository.within(self._postgres, org_id, after, step, selection)
            if events:
                yield b"".join(lines.line(event) for event in events)
            after = step


def _contradiction(end: Head, seal: Seal) -> Damage | None:
    """What is wrong with a chain whose links hold."""
    if end != seal.head:
        return Damage(max(end.number, 1), "the head that the database keeps is not its hash")
    if seal.rows != seal.number:
        return Damage(seal.number + 1, "there are rows that are in no chain")
    return None


def _chosen(selection: Selection, after: int) -> dict[str, str]:
    chosen = {**asdict(selection), "after": after or None}
    return {name: str(value) for name, value in chosen.items() if value is not None}
