"""What look-ups have said, in bounded memory, and found again by whom it is about."""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from ibex.auth.changes import Change
from ibex.auth.validation.judgement import Judgement

# Other kinds of change touch nothing that a look-up tells.
_KINDS: Final = frozenset({"token", "agent", "user", "organization"})

# A token's digest and the agent that was named, an id in one spelling only.
Key = tuple[bytes, UUID | str | None]


@dataclass(frozen=True, slots=True)
class Entry:
    """A judgement with its time: when it was asked for, and until when it may be used."""

    judgement: Judgement
    asked_at: float
    fresh_until: float


class JudgementCache:
    """The newest `capacity` entries. The oldest makes room, so that memory stays flat under a flood.

    A change is looked up and not searched for: whoever changes a thousand tokens does not stop the traffic.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._entries: dict[Key, Entry] = {}
        self._keys: dict[UUID, set[Key]] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: Key) -> Entry | None:
        return self._entries.get(key)

    def put(self, key: Key, entry: Entry) -> None:
        self.drop(key)
        if len(self._entries) >= self._capacity:
            self.drop(next(iter(self._entries)))
        self._entries[key] = entry
        for subject in entry.judgement.subjects:
            self._keys.setdefault(subject, set()).add(key)

    def drop(self, key: Key) -> None:
        """Does nothing when there is no such entry."""
        entry = self._entries.pop(key, None)
        if entry is None:
            return
        for subject in entry.judgement.subjects:
            keys = self._keys[subject]
            keys.remove(key)
            if not keys:
                del self._keys[subject]

    def drop_touched(self, change: Change) -> None:
        """Drop what a change may have made untrue."""
        if change.kind in _KINDS:
            for key in tuple(self._keys.get(change.id, ())):
                self.drop(key)

    def clear(self) -> None:
        self._entries.clear()
        self._keys.clear()
