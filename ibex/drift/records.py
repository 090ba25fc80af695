"""How what is known of an agent is kept: as JSON."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from ibex.drift.baseline import Baseline, LabelBaseline, LabelRate, NumberBaseline
from ibex.drift.observation import Observation
from ibex.drift.sightings import Sightings
from ibex.drift.window import Block


@dataclass(slots=True)
class Recent:
    """What is remembered from call to call.

    Parameters
    ----------
    pending: calls that do not make a block yet.
    last_tools: the last tool that each conversation called; the conversation that is open the longest
        without a call first.
    seen: the values seen first are first.
    """

    pending: list[Observation] = field(default_factory=list)
    last_tools: dict[str, str] = field(default_factory=dict)
    seen: Sightings = field(default_factory=dict)

    @classmethod
    def read(cls, stored: dict[str, Any]) -> "Recent":
        return cls(
            read_observations(stored.get("pending", ())),
            dict(stored.get("last_tools", ())),
            {kind: dict(values) for kind, values in stored.get("seen", {}).items()},
        )

    def written(self) -> dict[str, Any]:
        """As pairs what has an order, which objects lose in the database."""
        return {
            "pending": written_observations(self.pending),
            "last_tools": list(self.last_tools.items()),
            "seen": {kind: list(values.items()) for kind, values in self.seen.items()},
        }


@dataclass(slots=True)
class Detector:
    """An agent with one version of its directive.

    Parameters
    ----------
    calls: that are in blocks, since the beginning.
    learns_from: calls before the first that a baseline may be learned from.
    watches_from: calls before the first that is compared with the baseline.
    """

    agent_id: UUID
    directive_number: int
    calls: int
    learns_from: int
    watches_from: int
    baseline_id: UUID | None
    recent: Recent


@dataclass(frozen=True, slots=True)
class StoredBaseline:
    """A baseline, where it comes from, and who made it."""

    id: UUID
    agent_id: UUID
    directive_number: int
    calls: int
    first_at: datetime
    last_at: datetime
    created_by: str
    created_at: datetime
    data: dict[str, Any] = field(repr=False)

    def baseline(self) -> Baseline:
        return Baseline(
            calls=self.data["calls"],
            numbers=[None if each is None else NumberBaseline(**each) for each in self.data["numbers"]],
            labels=[None if each is None else _label(each) for each in self.data["labels"]],
        )


def read_observations(stored: Sequence[Sequence[Any]]) -> list[Observation]:
    return [
        Observation(
            at,
            session,
            tuple(numbers),
            tuple(None if names is None else tuple(names) for names in labels),
        )
        for at, session, numbers, labels in stored
    ]


def written_observations(observations: Sequence[Observation]) -> list[list[Any]]:
    return [[each.at, each.session, each.numbers, each.labels] for each in observations]


def read_blocks(stored: Sequence[dict[str, Any]]) -> list[Block]:
    return [Block(**each) for each in stored]


def _label(stored: dict[str, Any]) -> LabelBaseline:
    return LabelBaseline(
        count=stored["count"],
        calls=stored["calls"],
        rates={name: LabelRate(**rate) for name, rate in stored["rates"].items()},
        rare=LabelRate(**stored["rare"]),
        new=LabelRate(**stored["new"]),
    )
