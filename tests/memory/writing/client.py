"""A process that writes memories, all at once: `python -m tests.memory.writing.client <what>`, in JSON."""

import asyncio
import json
import sys
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from ibex.auth import Actor
from ibex.errors import IbexError
from ibex.memory.memory import NewMemory, Scope
from ibex.memory.repository.partitions import PartitionKey
from ibex.memory.retrieval.tokenizer import Tokenizer
from ibex.memory.writing.store import Store
from ibex.memory.writing.vectors import Vectors
from ibex.memory.writing.writer import MemoryWriter
from ibex.memory.writing.written import Written
from ibex.storage import Postgres


async def _forget(key: PartitionKey, written: Sequence[Written]) -> None:
    return


async def run(
    dsn: str, org_id: str, agent_id: str, memories: Sequence[tuple[str, str | None]]
) -> Counter[str]:
    """How many were written, and how many refused with each code."""
    postgres = Postgres(dsn, connections=4, wait=60)
    await postgres.open()
    vectors = Vectors(postgres, None)
    writer = MemoryWriter(postgres, vectors, Store(postgres, vectors, Tokenizer()), _forget)
    scope = Scope(UUID(org_id), UUID(agent_id), "ada")
    actor = Actor.local(scope.org_id, "system")
    news = [NewMemory(text, observed_at=datetime.fromisoformat(at) if at else None) for text, at in memories]
    answers = await asyncio.gather(*(writer.write(actor, scope, new) for new in news), return_exceptions=True)
    await postgres.close()
    return Counter(_outcome(answer) for answer in answers)


def _outcome(answer: Any) -> str:
    if isinstance(answer, Written):
        return answer.outcome
    if isinstance(answer, IbexError):
        return answer.code
    raise answer


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asyncio.run(run(**json.loads(sys.argv[1])))))
