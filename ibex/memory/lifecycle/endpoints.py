"""`/v1/memories/…`: what becomes of memories once they are written."""

from uuid import UUID

from fastapi import APIRouter, Depends

from ibex.auth.access import Access
from ibex.auth.actor import Actor
from ibex.auth.permissions import Permission
from ibex.memory.cursors import Cursors
from ibex.memory.lifecycle.schemas import (
    ConflictsQuery,
    ConflictView,
    Feedback,
    QuarantineQuery,
    Resolution,
    Reversion,
    VersionsQuery,
    VersionView,
)
from ibex.memory.lifecycle.service import MemoryLifecycle
from ibex.memory.repository.reads import Selection
from ibex.memory.views import CorrectedView, MemoryView
from ibex.rest import Page, Single, paginated

_QUARANTINE = Permission.MEMORY_READ | Permission.ORGANIZATION_SETTINGS


def apart_router(lifecycle: MemoryLifecycle, access: Access) -> APIRouter:
    """What waits for somebody to decide: conflicts, and what is in quarantine."""
    router = APIRouter(prefix="/v1/memories", tags=["memories"])
    reader = Depends(access.requires(Permission.MEMORY_READ))
    writer = Depends(access.requires(Permission.MEMORY_WRITE))
    guard = Depends(access.requires(_QUARANTINE))

    @router.get("/conflicts")
    async def list_memory_conflicts(query: ConflictsQuery, actor: Actor = reader) -> Page[ConflictView]:
        """List pairs of memories that cannot both hold, in the order in which they were found."""
        agent_id = await lifecycle.agent_or_all(actor, query.agent_id)
        cursors = Cursors.of(actor, "conflicts")
        found = await lifecycle.conflicts.page(
            actor, agent_id, query.status, cursors.position(query.cursor), query.limit + 1
        )
        return paginated(found, query.limit, ConflictView.of, key=lambda conflict: cursors.after(conflict.id))

    @router.post("/conflicts/{conflict_id}/resolve")
    async def resolve_memory_conflict(
        conflict_id: UUID, body: Resolution, actor: Actor = writer
    ) -> Single[ConflictView]:
        """Say which of two memories holds; it takes the place of the other, which stays readable."""
        keep = None if body.keep == "both" else body.keep
        return Single(data=ConflictView.of(await lifecycle.conflicts.resolve(actor, conflict_id, keep)))

    @router.get("/quarantine")
    async def list_quarantined_memories(query: QuarantineQuery, actor: Actor = guard) -> Page[MemoryView]:
        """List memories that wait for somebody to look at them. No search finds them."""
        agent_id = await lifecycle.agent_or_all(actor, query.agent_id)
        selection = Selection(agent_id=agent_id, statuses=("quarantined",))
        cursors = Cursors.of(actor, "quarantine")
        found = await lifecycle.reader.page(actor, selection, cursors.position(query.cursor), query.limit + 1)
        return paginated(found, query.limit, MemoryView.of, key=lambda memory: cursors.after(memory.id))

    return router


def router(lifecycle: MemoryLifecycle, access: Access) -> APIRouter:
    """What can be done to one memory."""
    router = APIRouter(prefix="/v1/memories/{memory_id}", tags=["memories"])
    reader = Depends(access.requires(Permission.MEMORY_READ))
    writer = Depends(access.requires(Permission.MEMORY_WRITE))
    deleter = Depends(access.requires(Permission.MEMORY_DELETE))
    guard = Depends(access.requires(Permission.MEMORY_WRITE | Permission.ORGANIZATION_SETTINGS))
    states = lifecycle.states

    @router.get("/history")
    async def list_memory_versions(
        memory_id: UUID, query: VersionsQuery, actor: Actor = reader
    ) -> Page[VersionView]:
        """List every version of a memory, the oldest first."""
        found = await lifecycle.reader.history(actor, memory_id, query.cursor, query.limit + 1)
        return paginated(found, query.limit, VersionView.of, key=lambda version: version.version)

    @router.post("/revert")
    async def revert_memory(memory_id: UUID, body: Reversion, actor: Actor = writer) -> Single[CorrectedView]:
        """Make an earlier version the newest. Nothing of the history is lost."""
        corrected = await lifecycle.correction.revert(actor, memory_id, body.version)
        return Single(data=CorrectedView.of_corrected(corrected.memory, corrected.findings))

    @router.post("/feedback")
    async def give_memory_feedback(
        memory_id: UUID, body: Feedback, actor: Actor = writer
    ) -> Single[MemoryView]:
        """Say whether a memory helped. It ranks accordingly."""
        changed = await lifecycle.feedback.give(actor, memory_id, body.signal, body.weight, body.source)
        return Single(data=MemoryView.of(changed))

    @router.post("/pin")
    async def pin_memory(memory_id: UUID, actor: Actor = writer) -> Single[MemoryView]:
        """Let a memory come first where there is little room."""
        return Single(data=MemoryView.of(await states.pin(actor, memory_id)))

    @router.post("/unpin")
    async def unpin_memory(memory_id: UUID, actor: Actor = writer) -> Single[MemoryView]:
        """Let a memory come in its turn."""
        return Single(data=MemoryView.of(await states.unpin(actor, memory_id)))

    @router.post("/archive")
    async def archive_memory(memory_id: UUID, actor: Actor = writer) -> Single[MemoryView]:
        """Keep a memory out of every search."""
        return Single(data=MemoryView.of(await states.archive(actor, memory_id)))

    @router.post("/unarchive")
    async def unarchive_memory(memory_id: UUID, actor: Actor = writer) -> Single[MemoryView]:
        """Let an archived memory be found again."""
        return Single(data=MemoryView.of(await states.unarchive(actor, memory_id)))

    @router.post("/restore")
    async def restore_memory(memory_id: UUID, actor: Actor = deleter) -> Single[MemoryView]:
        """Bring back a memory that was deleted, but not for good."""
        return Single(data=MemoryView.of(await states.restore(actor, memory_id)))

    @router.post("/release")
    async def release_memory(memory_id: UUID, actor: Actor = guard) -> Single[MemoryView]:
        """Let a memory out of quarantine, once somebody has looked at it."""
        return Single(data=MemoryView.of(await states.release(actor, memory_id)))

    @router.post("/reject")
    async def reject_memory(memory_id: UUID, actor: Actor = guard) -> Single[MemoryView]:
        """Delete a memory that is in quarantine."""
        return Single(data=MemoryView.of(await states.reject(actor, memory_id)))

    return router
