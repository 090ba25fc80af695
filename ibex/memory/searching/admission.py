"""Which memories of the partitions of a scope a search may find."""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from uuid import UUID

import numpy as np

from ibex.memory.retrieval.record import Record
from ibex.memory.searching.partition import IndexedPartition
from ibex.memory.searching.query import Filters


class Admission:
    """The conditions of a search, as one question about a record.

    Parameters
    ----------
    session_id: of the scope, which alone sees its private memories; None sees none of any.
    """

    def __init__(
        self, filters: Filters, session_id: str | None, partitions: Sequence[IndexedPartition]
    ) -> None:
        self._filters = filters
        self._session_id = session_id
        self._private: Sequence[AbstractSet[UUID]] = [each.private for each in partitions if each.private]
        self._labels: Sequence[Mapping[UUID, AbstractSet[str]]] = [each.labels for each in partitions]
        self._kinds = frozenset(filters.kinds)
        self._tags_any = frozenset(filters.tags_any)
        self._tags_all = frozenset(filters.tags_all)
        self._wanted_labels = frozenset(filters.labels)
        # Confidences are stored as float32, in which 0.9 is a little less than 0.9.
        self._min_confidence = float(np.float32(filters.min_confidence or 0.0))

    def __call__(self, record: Record) -> bool:
        return (
            self._is_visible(record)
            and self._has_right_time(record)
            and self._has_right_tags(record)
            and (not self._kinds or record.kind in self._kinds)
            and record.confidence >= self._min_confidence
            and (self._filters.pinned is None or record.pinned == self._filters.pinned)
            and (self._filters.session_id is None or record.session_id == self._filters.session_id)
        )

    def _is_visible(self, record: Record) -> bool:
        is_private = any(record.id in private for private in self._private)
        return not is_private or (self._session_id is not None and record.session_id == self._session_id)

    def _has_right_time(self, record: Record) -> bool:
        begin, end = self._filters.observed_from, self._filters.observed_until
        return (begin is None or record.observed_at >= begin) and (end is None or record.observed_at < end)

    def _has_right_tags(self, record: Record) -> bool:
        return (
            (not self._tags_any or not self._tags_any.isdisjoint(record.tags))
            and self._tags_all <= record.tags
            and (not self._wanted_labels or self._has_right_label(record.id))
        )

    def _has_right_label(self, id_: UUID) -> bool:
        return any(not self._wanted_labels.isdisjoint(labels.get(id_, ())) for labels in self._labels)
