"""Correcting what a memory says, and taking a correction back."""

from dataclasses import dataclass, replace
from uuid import UUID

from ibex.auth.actor import Actor
from ibex.auth.names import conflict, invalid, no_access
from ibex.memory.lifecycle.changing import Changing, Step
from ibex.memory.lifecycle.patch import Patch
from ibex.memory.lifecycle.rewriting import Rewriting, Rewritten
from ibex.memory.memory import Memory
from ibex.memory.repository import reads
from ibex.memory.writing.detection import Finding
from ibex.storage import Postgres


@dataclass(frozen=True, slots=True)
class Corrected:
    """A memory, and what was found in its new text; offsets are into the text that came."""

    memory: Memory
    findings: tuple[Finding, ...] = ()


class MemoryCorrection:
    """A correction is a new version; the versions before stay readable.

    A patched memory is checked and settled as if it were written now with the time that it was observed at.
    What its earlier text had superseded stays so until somebody reverts it: nobody has said that it holds.
    """

    def __init__(self, postgres: Postgres, changing: Changing, rewriting: Rewriting) -> None:
        self._postgres = postgres
        self._changing = changing
        self._rewriting = rewriting

    async def patch(self, actor: Actor, memory_id: UUID, patch: Patch) -> Corrected:
        """Raises VALIDATION_ERROR, ACCESS_DENIED, AGENT_NOT_AUTHORIZED and DUPLICATE_CONTENT."""
        findings: list[Finding] = []

        async def step(memory: Memory) -> Step:
            if memory.status == "deleted":
                raise no_access("memory")
            rewritten = await self._rewriting.patched(actor.org_id, memory, patch)
            findings[:] = rewritten.findings
            return _step(rewritten)

        memory = await self._changing.change(actor, memory_id, "memory.update", step)
        return Corrected(memory, tuple(findings))

    async def revert(self, actor: Actor, memory_id: UUID, number: int) -> Corrected:
        """What a memory said in an earlier version becomes its newest.

        One that another has superseded is live again, since that is what whoever reverts it wants: it ends
        nothing, nothing ends it, and what it contradicts is an open conflict.
        Raises as `patch`, VALIDATION_ERROR when there is no such version, and CONFLICT when it is deleted or
        quarantined.
        """

        async def step(memory: Memory) -> Step:
            if memory.status in ("deleted", "quarantined"):
                raise conflict(f"The memory is {memory.status}; restore or release it first.")
            version = await reads.version(self._postgres, actor.org_id, memory_id, number)
            if version is None:
                raise invalid("version", f"The memory has no version {number}.")
            status = version.status if version.status in ("active", "archived") else memory.status
            back = replace(memory, status=status)
            rewritten = await self._rewriting.patched(actor.org_id, back, Patch.back_to(version))
            if rewritten.draft is None and status != memory.status:
                draft = await self._rewriting.redrafted(actor.org_id, rewritten.memory)
                rewritten = replace(rewritten, memory=draft.memory, draft=draft)
            return _step(rewritten, insists=True)

        return Corrected(await self._changing.change(actor, memory_id, "memory.revert", step))


def _step(rewritten: Rewritten, *, insists: bool = False) -> Step:
    return Step(rewritten.memory, draft=rewritten.draft, is_restated=rewritten.is_restated, insists=insists)
