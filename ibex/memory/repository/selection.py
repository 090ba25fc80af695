"""What a candidate has to be, as SQL."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, LiteralString
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Selection:
    """What a candidate has to be: in one of these partitions, to be seen in this session, and as filtered.

    Parameters
    ----------
    session_id: which sees its private memories; None sees none of any.
    only_session: said in this session. None, here and in what follows, does not matter.
    """

    org_id: UUID
    partition_ids: Sequence[int]
    session_id: str | None = None
    kinds: Sequence[str] | None = None
    tags_any: Sequence[str] | None = None
    tags_all: Sequence[str] | None = None
    labels: Sequence[str] | None = None
    only_session: str | None = None
    observed_from: datetime | None = None
    observed_until: datetime | None = None
    min_confidence: float | None = None
    pinned: bool | None = None

    def parameters(self) -> dict[str, Any]:
        return {
            "partition_ids": list(self.partition_ids),
            "session_id": self.session_id,
            "kinds": _listed(self.kinds),
            "tags_any": _listed(self.tags_any),
            "tags_all": _listed(self.tags_all),
            "labels": _listed(self.labels),
            "only_session": self.only_session,
            "observed_from": self.observed_from,
            "observed_until": self.observed_until,
            "min_confidence": self.min_confidence,
            "pinned": self.pinned,
        }

    def condition(self) -> LiteralString:
        """On `ibex.memories AS memory`, beside the partition.

        Only what matters, so that Postgres can tell how many will meet it.
        """
        return " AND ".join(
            [_VISIBLE, *(text for name, text in _FILTERS.items() if getattr(self, name) is not None)]
        )


_VISIBLE: LiteralString = """
    memory.status = 'active' AND (memory.visibility <> 'session' OR memory.session_id = %(session_id)s)
"""

_FILTERS: Mapping[str, LiteralString] = {
    "kinds": "memory.kind = ANY(%(kinds)s)",
    "tags_any": "memory.tags && %(tags_any)s::text[]",
    "tags_all": "memory.tags @> %(tags_all)s::text[]",
    "labels": """
        EXISTS (
            SELECT FROM ibex.memory_labels AS label
            WHERE label.org_id = memory.org_id
                AND label.memory_id = memory.id
                AND label.label = ANY(%(labels)s)
        )
    """,
    "only_session": "memory.session_id = %(only_session)s",
    "observed_from": "memory.observed_at >= %(observed_from)s",
    "observed_until": "memory.observed_at < %(observed_until)s",
    "min_confidence": "memory.confidence >= %(min_confidence)s::real",
    "pinned": "memory.pinned = %(pinned)s",
}


def _listed(values: Sequence[str] | None) -> list[str] | None:
    return None if values is None else list(values)
