"""What is to change of a memory."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self

from ibex.memory.memory import Label, Memory, NewMemory
from ibex.memory.repository.reads import StoredVersion


@dataclass(frozen=True, slots=True)
class Patch:
    """What is None stays as it is. `bounds` are of the validity interval, by name."""

    content: str | None = field(default=None, repr=False)
    kind: str | None = None
    labels: Sequence[Label] | None = None
    confidence: float | None = None
    tags: Sequence[str] | None = None
    pinned: bool | None = None
    metadata: Mapping[str, Any] | None = field(default=None, repr=False)
    bounds: Mapping[str, datetime | None] = field(default_factory=dict)

    @classmethod
    def back_to(cls, version: StoredVersion) -> Self:
        """All that a version has."""
        return cls(
            content=version.content,
            kind=version.kind,
            confidence=version.confidence,
            tags=version.tags,
            pinned=version.pinned,
            metadata=version.metadata,
            bounds={"valid_from": version.valid_from, "valid_until": version.valid_until},
        )

    def onto(self, memory: Memory, *, has_bounds: bool) -> NewMemory:
        """The memory with the patch, as if it came anew.

        `has_bounds` is whether its interval was given; else the patched text says since and until when.
        """
        kept = {"valid_from": memory.valid_from, "valid_until": memory.valid_until} if has_bounds else {}
        return NewMemory(
            content=memory.content if self.content is None else self.content,
            kind=memory.kind if self.kind is None else self.kind,
            labels=memory.labels if self.labels is None else self.labels,
            confidence=memory.confidence if self.confidence is None else self.confidence,
            observed_at=memory.observed_at,
            visibility=memory.visibility,
            tags=memory.tags if self.tags is None else self.tags,
            pinned=memory.pinned if self.pinned is None else self.pinned,
            metadata=memory.metadata if self.metadata is None else self.metadata,
            provenance=memory.provenance,
            **{**kept, **self.bounds},
        )
