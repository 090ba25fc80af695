"""The leases of this process: one for each call that goes on and counts as concurrent."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from uuid import UUID


@dataclass(frozen=True, slots=True)
class _Held:
    org_id: UUID
    names: Sequence[str]


class Leases:
    """Each lease by its name, and how many there are under each limit."""

    def __init__(self) -> None:
        self._held: dict[str, _Held] = {}
        self._count: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._held)

    def __contains__(self, lease: str) -> bool:
        return lease in self._held

    def under(self, name: str) -> int:
        """How many count under the limit of that name."""
        return self._count.get(name, 0)

    def add(self, lease: str, org_id: UUID, names: Sequence[str]) -> None:
        self._held[lease] = _Held(org_id, names)
        for name in names:
            self._count[name] += 1

    def remove(self, lease: str) -> None:
        held = self._held.pop(lease)
        for name in held.names:
            self._count[name] -= 1
            if not self._count[name]:
                del self._count[name]

    def batches(self, most: int) -> Iterator[tuple[UUID, list[tuple[str, str]]]]:
        """All of them, some of one organization at a time, each with the name of a limit."""
        organizations: dict[UUID, list[tuple[str, str]]] = {}
        for lease, held in self._held.items():
            organizations.setdefault(held.org_id, []).extend((name, lease) for name in held.names)
        for org_id, pairs in organizations.items():
            remaining = iter(pairs)
            while batch := list(islice(remaining, most)):
                yield org_id, batch
