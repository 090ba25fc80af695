"""The write path: from texts that came to memories that are stored, or to why they are not."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from ibex.auth.actor import Actor
from ibex.auth.names import invalid, no_access
from ibex.errors import ErrorCode, IbexError
from ibex.memory.memory import NewMemory, Scope
from ibex.memory.repository import choices, writes
from ibex.memory.repository.partitions import PartitionKey
from ibex.memory.writing.detection import PiiAction, Policy
from ibex.memory.writing.draft import Draft, drafted
from ibex.memory.writing.store import Store
from ibex.memory.writing.validation import check_scope
from ibex.memory.writing.vectors import Vectors
from ibex.memory.writing.written import Written, duplicate
from ibex.storage import Postgres

MOST_AT_ONCE = 100

OnWritten = Callable[[PartitionKey, Sequence[Written]], Awaitable[None]]
Answer = Written | IbexError


class MemoryWriter:
    """Stores what agents are to remember, whoever brings it.

    What takes long, reading for secrets and embedding, is done first; then a partition is locked, and what
    depends on its other memories is decided and stored in one transaction. Whatever happens before its commit
    leaves nothing.

    Parameters
    ----------
    on_written: told, after the commit, of every partition that has changed, for what is cached of it; it must
        not raise, since the memories are stored.
    """

    def __init__(self, postgres: Postgres, vectors: Vectors, store: Store, on_written: OnWritten) -> None:
        self._postgres = postgres
        self._vectors = vectors
        self._store = store
        self._on_written = on_written

    async def write(self, actor: Actor, scope: Scope, new: NewMemory) -> Written:
        """Store one memory. Raises as `write_many`, and what that would return in its place."""
        (answer,) = await self.write_many(actor, scope, [new])
        if isinstance(answer, IbexError):
            raise answer
        return answer

    async def write_many(self, actor: Actor, scope: Scope, news: Sequence[NewMemory]) -> list[Answer]:
        """Store up to a hundred memories as if one came after the other; an answer to each.

        An answer may be VALIDATION_ERROR or DUPLICATE_CONTENT, whose detail is the id of the memory that is
        there. Raises AGENT_NOT_AUTHORIZED when the actor acts for another agent, ACCESS_DENIED when the
        organization has no such agent, and VALIDATION_ERROR for what concerns all of them.
        """
        if not 1 <= len(news) <= MOST_AT_ONCE:
            raise invalid("memories", f"Between 1 and {MOST_AT_ONCE} memories are written at once.")
        check_scope(scope)
        policy = await self._policy(actor, scope)
        answers: dict[int, Answer] = {}
        partitions: dict[PartitionKey, dict[int, Draft]] = {}
        for position, draft in enumerate(await asyncio.to_thread(_drafted, scope, news, policy)):
            if isinstance(draft, IbexError):
                answers[position] = draft
            else:
                partitions.setdefault(draft.partition, {})[position] = draft
        for key, drafts in partitions.items():
            answers |= await self._write_partition(actor, key, drafts)
        return [answers[position] for position in range(len(news))]

    async def _policy(self, actor: Actor, scope: Scope) -> Policy:
        if actor.agent_id is not None and actor.agent_id != scope.agent_id:
            raise IbexError(ErrorCode.AGENT_NOT_AUTHORIZED, "The token is bound to another agent.")
        if actor.org_id != scope.org_id:
            raise no_access("agent")
        pii = await choices.pii_action(self._postgres, scope.org_id, scope.agent_id)
        if pii is None:
            raise no_access("agent")
        return Policy(pii=PiiAction(pii))

    async def _write_partition(
        self, actor: Actor, key: PartitionKey, drafts: Mapping[int, Draft]
    ) -> dict[int, Answer]:
        # A text that contradicts others is judged under the lock: one before it may have taken its place.
        hashes = [draft.content_hash for draft in drafts.values() if not draft.claims]
        present = await writes.present(self._postgres, key, hashes) if hashes else []
        known = {each.content_hash: each.id for each in present}
        answers: dict[int, Answer] = {
            position: duplicate(known[draft.content_hash])
            for position, draft in drafts.items()
            if draft.content_hash in known
        }
        remaining = {position: draft for position, draft in drafts.items() if position not in answers}
        if not remaining:
            return answers
        embedded = await self._vectors.embedded(list(remaining.values()))
        stored = await self._store.store(actor, key, embedded)
        written = [each for each in stored if isinstance(each, Written)]
        if written:
            await self._on_written(key, written)
        return answers | dict(zip(remaining, stored, strict=True))


def _drafted(scope: Scope, news: Sequence[NewMemory], policy: Policy) -> list[Draft | IbexError]:
    now = datetime.now(UTC)
    drafts: list[Draft | IbexError] = []
    for position, new in enumerate(news):
        try:
            # Without times of their own, one was still observed after the other.
            drafts.append(drafted(scope, new, policy, now + timedelta(microseconds=position)))
        except IbexError as error:
            drafts.append(error)
    return drafts
