"""A memory with another text, through the same stages as one that is written."""

import asyncio
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from uuid import UUID

from ibex.auth.names import no_access
from ibex.memory.lifecycle.patch import Patch
from ibex.memory.lifecycle.stems import stems
from ibex.memory.memory import Memory, NewMemory, Scope
from ibex.memory.repository import choices
from ibex.memory.repository.changes import NewText
from ibex.memory.retrieval.tokenizer import Tokenizer
from ibex.memory.writing.detection import Finding, PiiAction, Policy
from ibex.memory.writing.draft import Draft, drafted
from ibex.memory.writing.vectors import Vectors
from ibex.storage import Postgres


@dataclass(frozen=True, slots=True)
class Rewritten:
    """A memory as it would be, and the hash that no other live one may have.

    `text` is None when only what is around the text has changed; its hash is None when it stays too.
    """

    memory: Memory
    content_hash: bytes | None
    text: NewText | None = field(repr=False)
    findings: tuple[Finding, ...]


class Rewriting:
    """Validates, screens, dates and embeds what is to take the place of a memory's present state."""

    def __init__(self, postgres: Postgres, vectors: Vectors, tokenizer: Tokenizer) -> None:
        self._postgres = postgres
        self._vectors = vectors
        self._tokenizer = tokenizer

    async def patched(self, org_id: UUID, memory: Memory, patch: Patch) -> Rewritten:
        """Raises VALIDATION_ERROR."""
        policy = await self._policy(org_id, memory.agent_id)
        draft = await asyncio.to_thread(_draft, _scope(org_id, memory), memory, patch, policy)
        text = None
        if draft.memory.content != memory.content or draft.memory.kind != memory.kind:
            text = await self.text_of(draft)
        is_same = text is None and (draft.memory.valid_from, draft.memory.valid_until) == (
            memory.valid_from,
            memory.valid_until,
        )
        changed = replace(
            memory,
            content=draft.memory.content,
            kind=draft.memory.kind,
            labels=draft.memory.labels,
            confidence=draft.memory.confidence,
            risk=max(draft.memory.risk, memory.risk if text is None else 0.0),
            pinned=draft.memory.pinned,
            # As they are read from the database, to which they are compared.
            tags=list(draft.memory.tags),
            metadata=draft.memory.metadata,
            valid_from=draft.memory.valid_from,
            valid_until=draft.memory.valid_until,
            status="quarantined" if memory.status == "active" and not draft.is_active else memory.status,
            is_embedded=memory.is_embedded if text is None else text.vector is not None,
        )
        return Rewritten(changed, None if is_same else draft.content_hash, text, draft.findings)

    async def text_of(self, draft: Draft) -> NewText:
        """The stems, claims and vector of a draft."""
        (embedded,) = await self._vectors.embedded([draft])
        words = stems(self._tokenizer, draft.memory)
        return NewText(words, draft.claims, embedded.vector, await self._vectors.model_id())

    async def _policy(self, org_id: UUID, agent_id: UUID) -> Policy:
        pii = await choices.pii_action(self._postgres, org_id, agent_id)
        if pii is None:
            raise no_access("agent")
        return Policy(pii=PiiAction(pii))


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
    said = drafted(scope, as_new(memory), policy, now).memory
    return (said.valid_from, said.valid_until) == (memory.valid_from, memory.valid_until)


def as_new(memory: Memory) -> NewMemory:
    """A memory as it came, its interval left to its text."""
    return Patch().onto(memory, has_bounds=False)
