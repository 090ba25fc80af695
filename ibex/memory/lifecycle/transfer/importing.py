"""Memories into an organization: what is there already stays as it is."""

from collections.abc import AsyncIterable, Callable, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from ibex.auth.actor import Actor
from ibex.errors import IbexError
from ibex.memory.lifecycle.ownership import Agents, agent_of
from ibex.memory.lifecycle.transfer.batch import ImportBatch, Prepared
from ibex.memory.lifecycle.transfer.lines import MemoryLine, RelationLine, parse
from ibex.memory.repository import transfer
from ibex.memory.repository.transfer import StoredRelation
from ibex.storage import Postgres

_BATCH = 100
# Refused lines that are told of; of the others only how many they are.
_TOLD = 100


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
        not stop the others."""
        report = ImportReport()
        agents: dict[str | None, UUID | IbexError] = {}
        waiting: list[tuple[int, MemoryLine, UUID]] = []
        relations: list[StoredRelation] = []
        number = 0
        async for text in lines:
            number += 1
            try:
                line = parse(text)
                if isinstance(line, RelationLine):
                    relations.append(line.relation())
                    continue
                waiting.append((number, line, await self._agent_of(actor, line, agent, agents)))
            except IbexError as error:
                report.refuse(number, error)
            if len(waiting) == _BATCH:
                await self._write(actor, waiting, report)
                waiting = []
                progress(report)
        if waiting:
            await self._write(actor, waiting, report)
        for start in range(0, len(relations), _BATCH):
            some = relations[start : start + _BATCH]
            await transfer.relate(self._postgres, actor.org_id, actor.agent_id, some)
        progress(report)
        return report

    async def _agent_of(
        self, actor: Actor, line: MemoryLine, agent: str | None, known: dict[str | None, UUID | IbexError]
    ) -> UUID:
        """The agent that the import or the line names, by id or else by slug. Raises as `agent_of`."""
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
    ) -> None:
        prepared: list[Prepared] = []
        agents = {agent_id for _, _, agent_id in waiting}
        policies = {agent_id: await self._batch.policy(actor, agent_id) for agent_id in agents}
        for number, line, agent_id in waiting:
            try:
                prepared.append(await self._batch.prepare(actor, line, agent_id, policies[agent_id]))
            except IbexError as error:
                report.refuse(number, error)
        imported = await self._batch.store(actor, prepared)
        report.imported += imported
        report.unchanged += len(prepared) - imported
