"""`/v1/memories`."""

from collections.abc import Sequence
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response

from ibex.auth.access import Access
from ibex.auth.actor import Actor
from ibex.auth.permissions import Permission
from ibex.memory.bulk import write_all
from ibex.memory.cursors import Cursors
from ibex.memory.lifecycle import endpoints as lifecycle_endpoints
from ibex.memory.lifecycle.schemas import CertificateView
from ibex.memory.lifecycle.service import MemoryLifecycle
from ibex.memory.lifecycle.transfer import endpoints as transfer_endpoints
from ibex.memory.memory import Scope
from ibex.memory.schemas import MemoriesQuery, MemoryPatch, Moment, NewMemories, NewMemoryBody
from ibex.memory.search_schemas import SearchBody, SearchView
from ibex.memory.searching import MemorySearch
from ibex.memory.views import BulkResult, BulkView, CorrectedView, MemoryView, WrittenView, status_of
from ibex.memory.writing.writer import MemoryWriter
from ibex.rest import LongBodyRoute, Page, Single, paginated

AsOf = Annotated[Moment | None, Query(description="The version of that time.")]
Hard = Annotated[
    bool, Query(description="For good: text, versions, vectors, feedback, and what derives from it.")
]


def routers(
    writer: MemoryWriter, search: MemorySearch, lifecycle: MemoryLifecycle, access: Access
) -> Sequence[APIRouter]:
    """One for each part of the life of a memory; those with fixed paths come first."""
    return (
        _many_router(writer, search, lifecycle, access),
        lifecycle_endpoints.apart_router(lifecycle, access),
        transfer_endpoints.router(lifecycle, access),
        _one_router(lifecycle, access),
        lifecycle_endpoints.router(lifecycle, access),
    )


def _many_router(
    writer: MemoryWriter, search: MemorySearch, lifecycle: MemoryLifecycle, access: Access
) -> APIRouter:
    router = APIRouter(prefix="/v1/memories", tags=["memories"], route_class=LongBodyRoute)
    may_read = Depends(access.requires(Permission.MEMORY_READ))
    may_write = Depends(access.requires(Permission.MEMORY_WRITE))

    @router.post(
        "",
        status_code=201,
        responses={202: {"model": Single[WrittenView], "description": "It is kept in quarantine."}},
    )
    async def create_memory(
        body: NewMemoryBody, response: Response, actor: Actor = may_write
    ) -> Single[WrittenView]:
        """Remember a text. 202 when it is kept apart until somebody has looked at it.

        Secrets are taken out of it; the same text again is 409 `DUPLICATE_CONTENT`, with the id in `detail`.
        """
        agent_id = await lifecycle.agent(actor, body.agent_id)
        scope = Scope(actor.org_id, agent_id, body.user_id, body.session_id)
        written = await writer.write(actor, scope, body.new_memory())
        response.status_code = status_of(written)
        return Single(data=WrittenView.of_written(written))

    @router.post("/bulk", status_code=207)
    async def create_memories(body: NewMemories, actor: Actor = may_write) -> Single[BulkView]:
        """Remember up to a hundred texts; a result for each, in their order."""
        answers = await write_all(writer, lifecycle, actor, body)
        return Single(data=BulkView(results=[BulkResult.of(answer) for answer in answers]))

    @router.post("/search")
    async def search_memories(body: SearchBody, actor: Actor = may_read) -> Single[SearchView]:
        """Find the memories that answer best: those of the agent, and those that all agents share."""
        agent_id = await lifecycle.agent(actor, body.agent_id)
        scope = Scope(actor.org_id, agent_id, body.user_id, body.session_id)
        return Single(data=SearchView.of(await search.search(scope, body.search_query())))

    @router.get("")
    async def list_memories(query: MemoriesQuery, actor: Actor = may_read) -> Page[MemoryView]:
        """List memories, in the order in which they were written."""
        agent_id = await lifecycle.agent_or_all(actor, query.agent_id)
        cursors = Cursors.of(actor, "memories")
        found = await lifecycle.reader.page(
            actor, query.selection(agent_id), cursors.position(query.cursor), query.limit + 1
        )
        return paginated(found, query.limit, MemoryView.of, key=lambda memory: cursors.after(memory.id))

    return router


def _one_router(lifecycle: MemoryLifecycle, access: Access) -> APIRouter:
    router = APIRouter(prefix="/v1/memories/{memory_id}", tags=["memories"], route_class=LongBodyRoute)
    may_read = Depends(access.requires(Permission.MEMORY_READ))
    may_write = Depends(access.requires(Permission.MEMORY_WRITE))
    may_delete = Depends(access.requires(Permission.MEMORY_DELETE))

    @router.get("")
    async def get_memory(memory_id: UUID, as_of: AsOf = None, actor: Actor = may_read) -> Single[MemoryView]:
        """Get a memory, as it is or as it was."""
        return Single(data=MemoryView.of(await lifecycle.reader.get(actor, memory_id, as_of)))

    @router.patch("")
    async def change_memory(
        memory_id: UUID, body: MemoryPatch, actor: Actor = may_write
    ) -> Single[CorrectedView]:
        """Correct a memory: what it says, or what is known of it. The versions before stay readable."""
        corrected = await lifecycle.correction.patch(actor, memory_id, body.patch())
        return Single(data=CorrectedView.of_corrected(corrected.memory, corrected.findings))

    @router.delete(
        "",
        status_code=204,
        responses={200: {"model": Single[CertificateView], "description": "It was erased for good."}},
    )
    async def delete_memory(memory_id: UUID, hard: Hard = False, actor: Actor = may_delete) -> Response:
        """Delete a memory so that it can be restored, or for good, which is certified."""
        if not hard:
            await lifecycle.states.delete(actor, memory_id)
            return Response(status_code=204)
        certificate = await lifecycle.erasure.erase(actor, memory_id)
        shown = Single(data=CertificateView.of(certificate))
        return Response(shown.model_dump_json(), media_type="application/json")

    return router
