"""`/v1/audit`."""

from fastapi import APIRouter, Depends
from starlette.responses import StreamingResponse

from ibex.auth.access import Access
from ibex.auth.actor import Actor
from ibex.auth.audit.schemas import EXAMPLE_LINE, EventView, ExportOfAudit, HeadView, PageOfAudit
from ibex.auth.audit.service import AuditService
from ibex.auth.permissions import Permission
from ibex.rest import Page, Single, paginated

_JSON_LINES = "application/x-ndjson"


class JsonLines(StreamingResponse):
    """Objects, one a line."""

    media_type = _JSON_LINES


def router(audit: AuditService, access: Access) -> APIRouter:
    router = APIRouter(prefix="/v1/audit", tags=["audit"])
    reader = Depends(access.requires(Permission.ORGANIZATION_SETTINGS))
    exporter = Depends(access.requires(Permission.ORGANIZATION_SETTINGS | Permission.TRACE_EXPORT))

    @router.get("")
    async def list_audit_events(wanted: PageOfAudit, actor: Actor = reader) -> Page[EventView]:
        """List events, the newest first."""
        found = await audit.page(actor.org_id, wanted.cursor, wanted.limit + 1, wanted.selection)
        return paginated(found, wanted.limit, EventView.of, key=lambda event: event.number)

    @router.get("/head")
    async def get_audit_head(actor: Actor = reader) -> Single[HeadView]:
        """Get where the chain ends. Once it is noted, nothing before it can change unnoticed."""
        return Single(data=HeadView.of(await audit.head(actor.org_id)))

    @router.get(
        "/export",
        response_class=JsonLines,
        responses={200: {"content": {_JSON_LINES: {"example": EXAMPLE_LINE}}}},
    )
    async def export_audit_events(wanted: ExportOfAudit, actor: Actor = exporter) -> JsonLines:
        """Export events as lines of JSON, the oldest first, for `ibex audit verify --file`.

        That they were exported is an event of its own, the last of them.
        """
        export = await audit.export(actor, wanted.selection, wanted.after)
        return JsonLines(export.batches, headers={"X-IBEX-Audit-Head": str(export.head)})

    return router
