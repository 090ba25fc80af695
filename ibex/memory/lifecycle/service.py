"""Everything that can be done to memories once they are written, over one pool."""

from dataclasses import dataclass
from typing import Self
from uuid import UUID

from ibex.auth.actor import Actor
from ibex.auth.agents.ownership import Agents, agent_of
from ibex.memory.lifecycle.changing import Changing, OnChanged
from ibex.memory.lifecycle.conflicts import MemoryConflicts
from ibex.memory.lifecycle.correcting import MemoryCorrection
from ibex.memory.lifecycle.erasing import MemoryErasure
from ibex.memory.lifecycle.feedback import MemoryFeedback
from ibex.memory.lifecycle.inference import InferredFeedback
from ibex.memory.lifecycle.reading import MemoryReader
from ibex.memory.lifecycle.rewriting import Rewriting
from ibex.memory.lifecycle.states import MemoryStates
from ibex.memory.lifecycle.transfer import MemoryExport, MemoryImport
from ibex.memory.lifecycle.transfer.batch import ImportBatch
from ibex.memory.retrieval.tokenizer import Tokenizer
from ibex.memory.writing.vectors import Vectors
from ibex.storage import Postgres


@dataclass(frozen=True, slots=True)
class MemoryLifecycle:
    """The services behind the command line and the REST interface."""

    agents: Agents
    reader: MemoryReader
    states: MemoryStates
    correction: MemoryCorrection
    feedback: MemoryFeedback
    inferred: InferredFeedback
    erasure: MemoryErasure
    conflicts: MemoryConflicts
    exporting: MemoryExport
    importing: MemoryImport

    @classmethod
    def over(
        cls,
        postgres: Postgres,
        agents: Agents,
        vectors: Vectors,
        tokenizer: Tokenizer,
        on_changed: OnChanged,
    ) -> Self:
        """`on_changed` is told, after the commit, of every partition that has changed; it must not raise."""
        changing = Changing(postgres, vectors, tokenizer, on_changed)
        rewriting = Rewriting(postgres, vectors)
        return cls(
            agents=agents,
            reader=MemoryReader(postgres),
            states=MemoryStates(postgres, changing, rewriting),
            correction=MemoryCorrection(postgres, changing, rewriting),
            feedback=MemoryFeedback(postgres, on_changed),
            inferred=InferredFeedback(postgres, on_changed),
            erasure=MemoryErasure(postgres, on_changed),
            conflicts=MemoryConflicts(postgres, changing),
            exporting=MemoryExport(postgres),
            importing=MemoryImport(postgres, agents, ImportBatch(postgres, vectors, tokenizer, on_changed)),
        )

    async def agent(self, actor: Actor, reference: str | None) -> UUID:
        """The agent that is meant; see `agent_of`."""
        return await agent_of(self.agents, actor, reference)

    async def agent_or_all(self, actor: Actor, reference: str | None) -> UUID | None:
        """The same; None when none is named and the token is bound to none."""
        if reference is None:
            return actor.agent_id
        return await self.agent(actor, reference)
