"""A memory that has passed the stages which look at it alone."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Self

import numpy as np
from numpy.typing import NDArray

from ibex.ids import uuid7
from ibex.memory.memory import Memory, NewMemory, Scope
from ibex.memory.repository.partitions import PartitionKey
from ibex.memory.writing.detection import Finding, Policy
from ibex.memory.writing.identity import content_hash
from ibex.memory.writing.screening import ScreenedMemory, refuse_secrets, screened
from ibex.memory.writing.statements import claims_of, standing, statement_of
from ibex.memory.writing.timing import dated
from ibex.memory.writing.validation import validated


@dataclass(frozen=True, slots=True)
class Draft:
    """What would be stored if it were alone in its partition.

    Parameters
    ----------
    content_hash: empty for a memory that is there and whose text stays.
    claims: digests of what it claims something about; see `claims_of`.
    vector: of the text; float32, shape (dimensions,), unit norm. None when it is to be had later.
    """

    memory: Memory
    partition: PartitionKey
    content_hash: bytes
    is_turn: bool
    findings: tuple[Finding, ...]
    claims: tuple[bytes, ...]
    vector: NDArray[np.float32] | None = field(default=None, repr=False)

    @property
    def is_active(self) -> bool:
        return self.memory.status == "active"

    def with_vector(self, vector: NDArray[np.float32]) -> Self:
        return replace(self, vector=vector, memory=replace(self.memory, is_embedded=True))


def drafted(scope: Scope, new: NewMemory, policy: Policy, now: datetime) -> Draft:
    """Validate, screen, hash and date one memory. Raises VALIDATION_ERROR."""
    checked = validated(scope, new, now)
    refuse_secrets(scope, checked.provenance)
    screening = screened(checked, policy)
    identity = content_hash(screening.checked, scope.session_id)
    return _draft(scope, replace(screening, checked=dated(screening.checked)), identity, now)


def _draft(scope: Scope, screening: ScreenedMemory, identity: bytes, now: datetime) -> Draft:
    checked = screening.checked
    # Days are read in the zone of whoever observed it; Postgres knows no zone beyond sixteen hours.
    memory = Memory(
        id=uuid7(),
        version=1,
        agent_id=scope.agent_id,
        user_id=scope.user_id,
        session_id=scope.session_id,
        provenance=checked.provenance,
        visibility=checked.visibility,
        kind=checked.kind,
        labels=checked.labels,
        status="quarantined" if screening.is_quarantined else "active",
        content=checked.content,
        confidence=checked.confidence,
        risk=screening.risk,
        pinned=checked.pinned,
        tags=checked.tags,
        metadata=checked.metadata,
        observed_at=checked.observed_at.astimezone(UTC),
        valid_from=checked.valid_from and checked.valid_from.astimezone(UTC),
        valid_until=checked.valid_until and checked.valid_until.astimezone(UTC),
        helpful=1.0,
        unhelpful=1.0,
        uses=0,
        last_used_at=None,
        is_embedded=False,
        created_at=now,
        updated_at=now,
    )
    agent_id = None if checked.visibility == "org" else scope.agent_id
    partition = PartitionKey(scope.org_id, agent_id, scope.user_id)
    claims = claims_of(statement_of(standing(memory)))
    return Draft(memory, partition, identity, checked.is_turn, screening.findings, claims)
