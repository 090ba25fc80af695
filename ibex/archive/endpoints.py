"""`/v1/sessions/{session_id}/content`."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query
from starlette.responses import StreamingResponse

from ibex.archive.reading import SessionContents
from ibex.auth import Actor, Permission
from ibex.auth.access import Access
from ibex.auth.agents.ownership import Agents, agent_of

_JSON_LINES = "application/x-ndjson"
_EXAMPLE = '{"turn_id": "01a20747-50c2-7a10-8d21-5f0b6c9e1a34", "messages": [], "answer": null}\n'

SessionId = Annotated[
    str,
    Path(
        pattern=r"^[!-~]{1,64}$",
        description="As `X-IBEX-Session-ID` said it.",
        examples=["ses_01a2074750c27a108d215f0b6c9e1a34"],
    ),
]
AgentQuery = Annotated[
    str | None,
    Query(description="Whose session, by id or slug. Needed when several agents have such a session."),
]


class Lines(StreamingResponse):
    """Lines, as they are read."""

    media_type = _JSON_LINES


def router(sessions: SessionContents, access: Access, agents: Agents) -> APIRouter:
    """Whoever may export memories may read content: it is what memories are made of."""
    router = APIRouter(prefix="/v1/sessions", tags=["sessions"])
    reader = Depends(access.requires(Permission.SESSION_READ | Permission.MEMORY_EXPORT))
    remover = Depends(access.requires(Permission.SESSION_TERMINATE | Permission.MEMORY_DELETE))

    async def owner(actor: Actor, agent_id: str | None, session_id: str) -> UUID:
        if agent_id is None and actor.agent_id is None:
            agent_id = await sessions.agent_with(actor, session_id)
        return await agent_of(agents, actor, agent_id)

    @router.get(
        "/{session_id}/content",
        response_class=Lines,
        responses={200: {"content": {_JSON_LINES: {"schema": {"type": "string"}, "example": _EXAMPLE}}}},
    )
    async def get_session_content(
        session_id: SessionId, agent_id: AgentQuery = None, actor: Actor = reader
    ) -> Lines:
        """Get what was said in a session, one turn a line, wherever it is kept.

        It is there within some seconds of the answer, if the organization stores content.
        """
        agent = await owner(actor, agent_id, session_id)
        return Lines(await sessions.begin(actor, agent, session_id))

    @router.delete("/{session_id}/content", status_code=204)
    async def delete_session_content(
        session_id: SessionId, agent_id: AgentQuery = None, actor: Actor = remover
    ) -> None:
        """Remove what was said in a session, and its archives, for good."""
        await sessions.remove(actor, await owner(actor, agent_id, session_id), session_id)

    return router
