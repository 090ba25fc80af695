"""A memory that is to change, through the same stages as one that is written."""

import asyncio
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from uuid import UUID

from ibex.auth.names import no_access
from ibex.memory.lifecycle.patch import Patch
from ibex.memory.memory import Memory, Scope, Status
from ibex.memory.repository import choices
from ibex.memory.writing.detection import Finding, PiiAction, Policy
from ibex.memory.writing.draft import Draft, drafted
from ibex.memory.writing.resettling import redrafted
from ibex.memory.writing.vectors import Vectors
from ibex.storage import Postgres


@dataclass(frozen=True, slots=True)
class Rewritten:
    """A memory as it would be.

    `draft` is None when nothing has changed that matters to other memories; `is_restated` is whether it says
    something else, or of another time.
    """

    memory: Memory
    draft: Draft | None
    findings: tuple[Finding, ...]
    is_restated: bool = False


class Rewriting:
    """Validates, screens, dates and embeds what is to take the place of a memory's present state."""

    def __init__(self, postgres: Postgres, vectors: Vectors) -> None:
        self._postgres = postgres
        self._vectors = vectors

    async def patched(self, org_id: UUID, memory: Memory, patch: Patch) -> Rewritten:
        """Raises VALIDATION_ERROR."""
        policy = await self._policy(org_id, memory.agent_id)
        draft = await asyncio.to_thread(_draft, _scope(org_id, memory), memory, patch, policy)
        new = draft.memory
        is_restated = _stated(new) != _stated(memory)
        changed = replace(
            memory,
            content=new.content,
            kind=new.kind,
            labels=new.labels,
            confidence=new.confidence,
            risk=max(new.risk, memory.risk if new.content == memory.content else 0.0),
            pinned=new.pinned,
            # As they are read from the database, to which they are compared.
            tags=list(new.tags),
            metadata=new.metadata,
            valid_from=new.valid_from,
            valid_until=new.valid_until,
            status=_status(memory, draft),
            is_embedded=memory.is_embedded and not is_restated,
        )
        if not is_restated:
            return Rewritten(changed, None, draft.findings)
        embedded = await self._embedded(replace(draft, memory=changed))
        return Rewritten(embedded.memory, embedded, draft.findings, is_restated=True)

    async def redrafted(self, org_id: UUID, memory: Memory) -> Draft:
        """A memory whose text stays, to be compared anew with the others."""
        return await self._embedded(redrafted(org_id, memory))

    async def _embedded(self, draft: Draft) -> Draft:
        (embedded,) = await self._vectors.embedded([draft])
        return embedded

    async def _policy(self, org_id: UUID, agent_id: UUID) -> Policy:
        pii = await choices.pii_action(self._postgres, org_id, agent_id)
        if pii is None:
            raise no_access("agent")
        return Policy(pii=PiiAction(pii))


def _status(memory: Memory, draft: Draft) -> Status:
    """What is seen, or may be without another look, is quarantined for words that nobody has approved yet."""
    new = draft.memory
    has_new_words = (new.content, list(new.tags), new.metadata, new.labels) != (
        memory.content,
        memory.tags,
        memory.metadata,
        memory.labels,
    )
    if has_new_words and not draft.is_active and memory.status in ("active", "archived"):
        return "quarantined"
    return memory.status


def _stated(memory: Memory) -> tuple[object, ...]:
    return memory.content, memory.kind, memory.valid_from, memory.valid_until


def _scope(org_id: UUID, memory: Memory) -> Scope:
    return Scope(org_id, memory.agent_id, memory.user_id, memory.session_id)


def _draft(scope: Scope, memory: Memory, patch: Patch, policy: Policy) -> Draft:
    now = datetime.now(UTC)
    has_bounds = bool(patch.bounds) or not _says_its_bounds(scope, memory, policy, now)
    return drafted(scope, patch.onto(memory, has_bounds=has_bounds), policy, now)


def _says_its_bounds(scope: Scope, memory: Memory, policy: Policy, now: datetime) -> bool:
    """Whether the interval of a memory is the one that its text names, and nobody gave another."""
    if memory.valid_from is None and memory.valid_until is None:
        return True
    said = drafted(scope, Patch().onto(memory, has_bounds=False), policy, now).memory
    return (said.valid_from, said.valid_until) == (memory.valid_from, memory.valid_until)
