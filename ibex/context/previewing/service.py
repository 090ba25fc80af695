"""Assembles the context of a call that is not made."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from ibex.auth import Actor, AgentPrincipal
from ibex.context.assembled import Assembled
from ibex.context.assembly import Assembler
from ibex.context.receipts import Receipt
from ibex.context.receipts.service import texts_in
from ibex.context.turn import ChatTurn
from ibex.errors import Dialect
from ibex.ids import uuid7
from ibex.memory import MemoryLifecycle

# Of a call that nobody makes; only who reads a token's id would miss one.
_NO_TOKEN = UUID(int=0)


@dataclass(frozen=True, slots=True)
class Wanted:
    """The call that is meant.

    Parameters
    ----------
    fields: of the body, as a client would send it.
    without: memories that are left out.
    memory_tokens: most tokens of memories; None is as many as the settings allow.
    """

    agent_id: UUID
    user_id: str | None
    session_id: str | None
    dialect: Dialect
    model: str
    fields: Mapping[str, Any] = field(repr=False)
    directive: str | None = None
    without: frozenset[UUID] = frozenset()
    memory_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Preview:
    """What would be sent, the receipt, and the texts of the memories in it, by id."""

    fields: Mapping[str, Any] = field(repr=False)
    receipt: Receipt
    texts: Mapping[UUID, str] = field(repr=False)


class Previews:
    """Through the same parts as a call, so that a preview shows what a call would get."""

    def __init__(self, assembler: Assembler, memories: MemoryLifecycle) -> None:
        self._assembler = assembler
        self._memories = memories

    async def of(self, actor: Actor, wanted: Wanted) -> Preview:
        """Raises what `Assembler.assemble` raises. Nothing is sent, stored or learned."""
        request_id = uuid7()
        assembled: Assembled = await self._assembler.assemble(
            ChatTurn(
                request_id=request_id,
                trace_id=request_id.hex,
                principal=AgentPrincipal(
                    org_id=actor.org_id,
                    token_id=actor.token_id or _NO_TOKEN,
                    permissions=actor.grant.permissions,
                    agent_id=wanted.agent_id,
                    agent_slug="",
                ),
                dialect=wanted.dialect,
                models=(wanted.model,),
                fields=wanted.fields,
                session_id=wanted.session_id or f"ses_{request_id.hex}",
                names_session=wanted.session_id is not None,
                user_id=wanted.user_id,
                directive=wanted.directive,
                without=wanted.without,
                memory_tokens=wanted.memory_tokens,
            )
        )
        texts = await texts_in(self._memories, actor, assembled.receipt)
        return Preview(assembled.fields, assembled.receipt, texts)
