"""Memories into an organization: what is there already stays as it is."""

from collections.abc import AsyncIterable, Callable, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from ibex.auth.actor import Actor
from ibex.auth.agents.ownership import Agents, agent_of
from ibex.auth.names import conflict
from ibex.errors import IbexError
from ibex.memory.lifecycle.transfer.batch import ImportBatch, Prepared
from ibex.memory.lifecycle.transfer.lines import MemoryLine, RelationLine, parse
from ibex.memory.repository import transfer
from ibex.memory.repository.partitions import PartitionKey
from ibex.memory.repository.transfer import StoredRelation
from ibex.storage import Postgres

_BATCH = 100
# Refused lines that are told of; of the others only how many they are.
_TOLD = 100
# Partitions whose hot sets are behind at a time: an import mostly comes back to the same.
_UNTOLD = 1_000
# Names of agents that are remembered, lest lines that each name another one fill the memory.
_KNOWN = 1_000

_ERASED = "The memory was erased for good, and an import does not bring it back."


@dataclass(frozen=True, slots=True)
class Refusal:
    """A line that could not be imported; the first is 1."""

    line: int
    error: IbexError


@dataclass(slots=True)
class ImportReport:
    """How many memories came, were there already, or were refused; and the first of the latter."""

    imported: int = 0
    unchanged: int = 0
    refused: int = 0
    refusals: list[Refusal] = field(default_factory=list)

    def refuse(self, line: int, error: IbexError) -> None:
        self.refused += 1
        if len(self.refusals) < _TOLD:
            self.refusals.append(Refusal(line, error))


Progress = Callable[[ImportReport], None]


def _silent(report: ImportReport) -> None:
    return


class MemoryImport:
    """Passes each line through the same checks as what is written, and keeps its id and its state.

    A memory whose id is there, or whose text is live in its scope, is left as it is: so importing an export
    twice, or again after it broke off, changes nothing.
    """

    def __init__(self, postgres: Postgres, agents: Agents, batch: ImportBatch) -> None:
        self._postgres = postgres
        self._agents = agents
        self._batch = batch

    async def take(
        self,
        actor: Actor,
        lines: AsyncIterable[bytes],
        agent: str | None = None,
        progress: Progress = _silent,
    ) -> ImportReport:
        """All lines that there are; `agent` takes the place of those that they name. One refused line does
        not stop the others. Relations are between memories that are there or in lines before."""
        report = ImportReport()
        agents: dict[str | None, UUID | IbexError] = {}
        waiting: list[tuple[int, MemoryLine, UUID]] = []
        relations: list[StoredRelation] = []
        number = 0

        changed: set[PartitionKey] = set()

        async def write() -> None:
            if waiting:
                changed.update(await self._write(actor, waiting, report))
                if len(changed) > _UNTOLD:
                    await self._batch.tell(changed)
            if relations:
                await transfer.relate(self._postgres, actor.org_id, actor.agent_id, relations)
            waiting.clear()
            relations.clear()
            progress(report)

        try:
            async for text in lines:
                number += 1
                try:
                    line = parse(text)
                    if isinstance(line, RelationLine):
                        relations.append(line.relation())
                    else:
                        waiting.append((number, line, await self._agent_of(actor, line, agent, agents)))
                except IbexError as error:
                    report.refuse(number, error)
                if max(len(waiting), len(relations)) == _BATCH:
                    await write()
            await write()
        finally:
            await self._batch.tell(changed)
        report.refusals.sort(key=lambda refusal: refusal.line)
        return report

    async def _agent_of(
        self, actor: Actor, line: MemoryLine, agent: str | None, known: dict[str | None, UUID | IbexError]
    ) -> UUID:
        """The agent that the import or the line names, by id or else by slug. Raises as `agent_of`."""
        if len(known) > _KNOWN:
            known.clear()
        references = [agent] if agent is not None else [line.agent_id, line.agent]
        named: list[str | None] = [each for each in references if each is not None]
        named = named or [None]
        for reference in named:
            if reference not in known:
                known[reference] = await self._resolved(actor, reference)
        answers = [known[reference] for reference in named]
        for answer in answers:
            if isinstance(answer, UUID):
                return answer
        raise next(answer for answer in answers if isinstance(answer, IbexError))

    async def _resolved(self, actor: Actor, reference: str | None) -> UUID | IbexError:
        try:
            return await agent_of(self._agents, actor, reference)
        except IbexError as error:
            return error

    async def _write(
        self, actor: Actor, waiting: Sequence[tuple[int, MemoryLine, UUID]], report: ImportReport
    ) -> set[PartitionKey]:
        """The partitions that have changed."""
        prepared: list[Prepared] = []
        agents = {agent_id for _, _, agent_id in waiting}
        policies = {agent_id: await self._batch.policy(actor, agent_id) for agent_id in agents}
        ids = [line.id for _, line, _ in waiting if line.id is not None]
        erased = await transfer.erased(self._postgres, actor.org_id, ids)
        for number, line, agent_id in waiting:
            try:
                if line.id in erased:
                    raise conflict(_ERASED)
                prepared.append(await self._batch.prepare(actor, line, agent_id, policies[agent_id]))
            except IbexError as error:
                report.refuse(number, error)
        stored = await self._batch.store(actor, prepared)
        report.imported += stored.memories
        report.unchanged += len(prepared) - stored.memories
        return stored.partitions
