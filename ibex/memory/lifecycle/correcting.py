"""Correcting what a memory says, and taking a correction back."""

from dataclasses import dataclass, replace
from uuid import UUID

from ibex.auth.actor import Actor
from ibex.auth.names import conflict, invalid, no_access
from ibex.ids import uuid7
from ibex.memory.lifecycle.changing import Changing, Step
from ibex.memory.lifecycle.patch import Patch
from ibex.memory.lifecycle.rewriting import Rewriting
from ibex.memory.memory import Memory
from ibex.memory.repository import changes, conflicts, reads
from ibex.memory.repository.partitions import LockedPartition
from ibex.memory.writing.detection import Finding
from ibex.storage import Connection, Postgres

_REOPENED = "The older one was brought back after the newer one had taken its place."


@dataclass(frozen=True, slots=True)
class Corrected:
    """A memory, and what was found in its new text; offsets are into the text that came."""

    memory: Memory
    findings: tuple[Finding, ...] = ()


class MemoryCorrection:
    """A correction is a new version; the versions before stay readable.

    It is taken as meant by whoever makes it: it passes the same checks as what is written, but neither merges
    with what resembles it nor supersedes what it contradicts.
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
            return Step(rewritten.memory, rewritten.content_hash, rewritten.text)

        memory = await self._changing.change(actor, memory_id, "memory.update", step)
        return Corrected(memory, tuple(findings))

    async def revert(self, actor: Actor, memory_id: UUID, number: int) -> Corrected:
        """What a memory said in an earlier version becomes its newest.

        One that another has superseded is live again; that the two contradict each other is an open conflict.
        Raises as `patch`, VALIDATION_ERROR when there is no such version, and CONFLICT when it is deleted or
        quarantined.
        """

        async def step(memory: Memory) -> Step:
            if memory.status in ("deleted", "quarantined"):
                raise conflict(f"The memory is {memory.status}; restore or release it first.")
            version = await reads.version(self._postgres, actor.org_id, memory_id, number)
            if version is None:
                raise invalid("version", f"The memory has no version {number}.")
            rewritten = await self._rewriting.patched(actor.org_id, memory, Patch.back_to(version))
            back = rewritten.memory
            if back.status != "quarantined" and version.status in ("active", "archived"):
                back = replace(back, status=version.status)
            return Step(back, rewritten.content_hash, rewritten.text)

        async def reopen(connection: Connection, partition: LockedPartition, memory: Memory) -> None:
            if memory.status != "active":
                return
            for successor in await changes.reopen(connection, memory_id):
                await conflicts.open_between(
                    connection, actor.org_id, uuid7(), successor, memory_id, _REOPENED
                )

        return Corrected(await self._changing.change(actor, memory_id, "memory.revert", step, reopen))
