"""The partitions used last, within a bound."""

from collections import OrderedDict
from dataclasses import dataclass
from uuid import UUID

from ibex.memory.searching.partition import IndexedPartition


@dataclass(frozen=True, slots=True)
class IndexKey:
    """A partition, and the model of whose vectors an index of it is made; None is of none."""

    org_id: UUID
    partition_id: int
    model: int | None


class IndexCache:
    """Whatever it has lost is loaded again; one that is larger than all of it is not kept.

    Parameters
    ----------
    capacity: bytes in all.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._size = 0
        self._partitions: OrderedDict[IndexKey, IndexedPartition] = OrderedDict()

    @property
    def size(self) -> int:
        """Bytes that are taken."""
        return self._size

    def get(self, key: IndexKey) -> IndexedPartition | None:
        found = self._partitions.get(key)
        if found is not None:
            self._partitions.move_to_end(key)
        return found

    def put(self, key: IndexKey, partition: IndexedPartition) -> None:
        before = self._partitions.pop(key, None)
        self._size += partition.size - (before.size if before is not None else 0)
        self._partitions[key] = partition
        while self._size > self._capacity:
            _, oldest = self._partitions.popitem(last=False)
            self._size -= oldest.size
