"""`/v1/traces/{id}/context`."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Path

from ibex.auth import Actor, Permission
from ibex.auth.access import Access
from ibex.context.receipts.schemas import ReceiptView
from ibex.context.receipts.service import Receipts
from ibex.rest import Single

TraceId = Annotated[
    UUID, Path(description="`X-Request-ID` or `X-Trace-ID` of an answer.", examples=[str(UUID(int=0))])
]


def router(receipts: Receipts, access: Access) -> APIRouter:
    router = APIRouter(prefix="/v1/traces", tags=["traces"])
    reader = Depends(access.requires(Permission.TRACE_READ))

    @router.get("/{trace_id}/context")
    async def get_context(trace_id: TraceId, actor: Actor = reader) -> Single[ReceiptView]:
        """Get what a call was told: which directive, which memories, and why those.

        It is there within a second of the answer.
        """
        found = await receipts.get(actor, trace_id)
        return Single(data=ReceiptView.of(found.receipt, found.texts))

    return router
