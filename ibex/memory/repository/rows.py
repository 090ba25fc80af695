"""What one write does to a partition, as rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from ibex.memory.memory import Memory, Status
from ibex.memory.repository.embeddings import NewEmbedding

RelationKind = Literal["supersedes", "merges"]


@dataclass(frozen=True, slots=True)
class Version:
    """One line of a memory's history. `effective_from` is when it begins to say how things were."""

    memory: Memory
    effective_from: datetime
    action: str


@dataclass(frozen=True, slots=True)
class NewRow:
    """A memory as it is to be stored; `words` are its stems, each once."""

    memory: Memory
    revision: int
    content_hash: bytes
    words: Sequence[str]


@dataclass(frozen=True, slots=True)
class Closing:
    """What an earlier memory becomes. `valid_until` and `effective_from` are moments of what it says."""

    memory_id: UUID
    revision: int
    status: Status
    valid_until: datetime | None
    effective_from: datetime
    action: str


@dataclass(frozen=True, slots=True)
class Absorption:
    """What a memory that was there has taken over from one that said the same."""

    memory_id: UUID
    revision: int
    pinned: bool
    helpful: float
    unhelpful: float
    uses: int
    last_used_at: datetime | None


@dataclass(frozen=True, slots=True)
class Relation:
    """A memory and an earlier one of which it takes the place."""

    memory_id: UUID
    kind: RelationKind
    other_id: UUID


@dataclass(frozen=True, slots=True)
class Conflict:
    """Two memories that cannot both hold, and nobody can tell which does."""

    id: UUID
    memory_id: UUID
    other_id: UUID
    reason: str


@dataclass(frozen=True, slots=True)
class Changes:
    """All that one write, or one change of a memory, does to a partition.

    Parameters
    ----------
    broken: relations that are to go, since a new memory stands between the two.
    claims: of each memory whose text is new, digests of what it claims something about.
    model: the number of the model that the embeddings are of.
    live: by how many the live memories grow.
    """

    rows: Sequence[NewRow]
    versions: Sequence[Version]
    closings: Sequence[Closing]
    absorptions: Sequence[Absorption]
    relations: Sequence[Relation]
    broken: Sequence[Relation]
    conflicts: Sequence[Conflict]
    claims: Sequence[tuple[UUID, bytes]]
    embeddings: Sequence[NewEmbedding]
    model: int | None
    live: int
