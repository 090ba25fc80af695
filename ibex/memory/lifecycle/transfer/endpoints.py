"""`/v1/memories/export` and `/v1/memories/import`."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import StreamingResponse

from ibex.auth.access import Access
from ibex.auth.actor import Actor
from ibex.auth.permissions import Permission
from ibex.memory.lifecycle.service import MemoryLifecycle
from ibex.memory.lifecycle.transfer.importing import ImportReport, Refusal
from ibex.memory.lifecycle.transfer.lines import LONGEST_LINE
from ibex.memory.schemas import AGENT
from ibex.memory.views import FailureView
from ibex.rest import Single, StreamedBodyRoute, body_lines

_JSON_LINES = "application/x-ndjson"
_EXAMPLE = '{"content": "Ada prefers tea to coffee.", "agent": "support", "user_id": "ada"}\n'

AgentQuery = Annotated[str | None, Query(description=AGENT)]
UserQuery = Annotated[str | None, Query(max_length=256, description="Only what is about this end user.")]


class JsonLines(StreamingResponse):
    """Objects, one a line."""

    media_type = _JSON_LINES


class RefusalView(BaseModel):
    line: int = Field(description="The first is 1; blank lines do not count.")
    error: FailureView

    @classmethod
    def of(cls, refusal: Refusal) -> "RefusalView":
        return cls(line=refusal.line, error=FailureView.of(refusal.error))


class ImportView(BaseModel):
    """What came of an import."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"imported": 2, "unchanged": 1, "refused": 0, "refusals": []}]}
    )

    imported: int
    unchanged: int = Field(description="They were there already, by id or by text, and stay as they were.")
    refused: int
    refusals: list[RefusalView] = Field(description="The first hundred, each with why.")

    @classmethod
    def of(cls, report: ImportReport) -> "ImportView":
        return cls(
            imported=report.imported,
            unchanged=report.unchanged,
            refused=report.refused,
            refusals=[RefusalView.of(refusal) for refusal in report.refusals],
        )


def router(lifecycle: MemoryLifecycle, access: Access) -> APIRouter:
    router = APIRouter(prefix="/v1/memories", tags=["memories"], route_class=StreamedBodyRoute)
    exporter = Depends(access.requires(Permission.MEMORY_READ | Permission.MEMORY_EXPORT))
    writer = Depends(access.requires(Permission.MEMORY_WRITE))

    @router.get(
        "/export",
        response_class=JsonLines,
        responses={200: {"content": {_JSON_LINES: {"example": _EXAMPLE}}}},
    )
    async def export_memories(
        agent_id: AgentQuery = None, user_id: UserQuery = None, actor: Actor = exporter
    ) -> JsonLines:
        """Export memories as lines of JSON, for `/v1/memories/import` here or elsewhere."""
        agent = await lifecycle.agent_or_all(actor, agent_id)
        return JsonLines(_texts(await lifecycle.exporting.begin(actor, agent, user_id)))

    @router.post(
        "/import",
        openapi_extra={
            "requestBody": {
                "required": True,
                "content": {_JSON_LINES: {"schema": {"type": "string"}, "example": _EXAMPLE}},
            }
        },
    )
    async def import_memories(
        request: Request, agent_id: AgentQuery = None, actor: Actor = writer
    ) -> Single[ImportView]:
        """Import lines of JSON while they arrive. Doing so again changes nothing."""
        lines = body_lines(request, _JSON_LINES, longest=LONGEST_LINE)
        return Single(data=ImportView.of(await lifecycle.importing.take(actor, lines, agent_id)))

    return router


async def _texts(batches: AsyncIterator[tuple[int, bytes]]) -> AsyncIterator[bytes]:
    async for _, text in batches:
        yield text
