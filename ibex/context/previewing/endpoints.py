"""`/v1/context/preview`."""

from fastapi import APIRouter, Depends

from ibex.auth import Actor, Permission
from ibex.auth.access import Access
from ibex.context.previewing.schemas import PreviewBody, PreviewView
from ibex.context.previewing.service import Previews
from ibex.memory import MemoryLifecycle
from ibex.rest import LongBodyRoute, Single


def router(previews: Previews, memories: MemoryLifecycle, access: Access) -> APIRouter:
    router = APIRouter(prefix="/v1/context", tags=["context"], route_class=LongBodyRoute)
    reader = Depends(access.requires(Permission.MEMORY_READ | Permission.DIRECTIVE_READ))

    @router.post("/preview")
    async def preview_context(body: PreviewBody, actor: Actor = reader) -> Single[PreviewView]:
        """See what a call would be told, without making it, and without some memories if you like."""
        agent_id = await memories.agent(actor, body.agent_id)
        return Single(data=PreviewView.of(await previews.of(actor, body.wanted(agent_id))))

    return router
