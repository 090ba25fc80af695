"""Which memories are told: the most valuable ones that fit, without saying anything twice.

A 0/1 knapsack, solved exactly by dynamic programming over tokens (Kellerer, Pferschy and Pisinger, Knapsack
Problems, 2004, chapters 2 and 11), with three kinds of rules on top: what is pinned goes first, then what a
kind is promised; a kind with a ceiling is a knapsack within the knapsack; of what says the same, one at most.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal
from uuid import UUID

from ibex.context.knapsack import Group, Item, Knapsack, best_items
from ibex.context.redundancy import Redundancy, redundancy

Reason = Literal["budget", "duplicate", "ceiling"]

# A memory that is worth nothing is told when there is room to spare, and displaces nothing that is.
_LEAST_VALUE = 1e-9


@dataclass(frozen=True, slots=True)
class Candidate:
    """A memory that may be told.

    Parameters
    ----------
    value: what it is worth; zero at least.
    tokens: of its line, the line's end included.
    terms: what its text is about; texts that share most of them say the same.
    """

    id: UUID
    kind: str
    value: float
    tokens: int
    pinned: bool = False
    terms: frozenset[str] = field(default=frozenset(), repr=False)


@dataclass(frozen=True, slots=True)
class PackingRules:
    """What is asked of a packing besides value.

    Parameters
    ----------
    floors: tokens that are kept for the best of a kind, as long as it has any.
    ceilings: tokens that a kind may have at most. What is pinned counts, but is not kept out.
    penalty: the share of its value that a memory loses when a better one says nearly the same.
    similar: the share of common terms (Jaccard) from which on memories begin to say the same.
    duplicate: the share from which on they do.
    """

    floors: Mapping[str, int] = field(default_factory=dict)
    ceilings: Mapping[str, int] = field(default_factory=dict)
    penalty: float = 0.5
    similar: float = 0.5
    duplicate: float = 0.9


@dataclass(frozen=True, slots=True)
class Packing:
    """Positions of the candidates that are told, best first, and why the others are not.

    `value` is what the chosen ones are worth, less what they have in common with better candidates.
    """

    chosen: Sequence[int]
    left_out: Mapping[int, Reason]
    tokens: int
    value: float


def pack(candidates: Sequence[Candidate], budget: int, rules: PackingRules) -> Packing:
    """Choose of the candidates what is worth most within `budget` tokens.

    The same candidates make the same packing, in whatever order they come.
    """
    return _Packer(candidates, budget, rules).packing()


class _Packer:
    def __init__(self, candidates: Sequence[Candidate], budget: int, rules: PackingRules) -> None:
        self._candidates = candidates
        self._rules = rules
        self._left = max(budget, 0)
        self._order = sorted(range(len(candidates)), key=self._rank)
        ranked = redundancy(
            [candidates[at].terms for at in self._order], similar=rules.similar, duplicate=rules.duplicate
        )
        self._redundancy: Mapping[int, Redundancy] = dict(zip(self._order, ranked, strict=True))
        self._chosen: set[int] = set()
        self._used: dict[str, int] = {}

    def packing(self) -> Packing:
        pinned = [at for at in self._order if self._candidates[at].pinned]
        self._choose(pinned, self._left, {})
        for kind, floor in sorted(self._rules.floors.items()):
            of_kind = [at for at in self._order if self._candidates[at].kind == kind]
            self._choose(of_kind, min(floor - self._used.get(kind, 0), self._left), {})
        self._choose(self._order, self._left, self._rules.ceilings)
        chosen = [at for at in self._order if at in self._chosen]
        told = {self._redundancy[at].group for at in chosen}
        return Packing(
            chosen=chosen,
            left_out={at: self._reason(at, told) for at in self._order if at not in self._chosen},
            tokens=sum(self._candidates[at].tokens for at in chosen),
            value=sum(self._value(at) for at in chosen),
        )

    def _choose(self, positions: Sequence[int], capacity: int, ceilings: Mapping[str, int]) -> None:
        """Choose the best of these within a capacity; a kind with a ceiling is packed by itself first."""
        capacity = max(capacity, 0)
        groups = self._groups(positions, ceilings)
        packed = {
            -number: Knapsack(groups.pop(kind), self._room(kind, ceilings, capacity))
            for number, kind in enumerate(sorted(ceilings), 1)
            if kind in groups
        }
        frontiers = [knapsack.frontier(key) for key, knapsack in packed.items()]
        for item in best_items([*frontiers, *groups.get(None, ())], capacity):
            within = packed[item.key].best_items(item.weight) if item.key in packed else [item]
            for each in within:
                self._tell(each.key)

    def _groups(self, positions: Sequence[int], ceilings: Mapping[str, int]) -> dict[str | None, list[Group]]:
        """What is still to be had, by the kind whose ceiling it is under, then by what it says.

        What says the same under different ceilings goes with the best of it.
        """
        told = {self._redundancy[at].group for at in self._chosen}
        kinds: dict[int, str | None] = {}
        members: dict[int, list[Item]] = {}
        for at in positions:
            group, candidate = self._redundancy[at].group, self._candidates[at]
            kind = candidate.kind if candidate.kind in ceilings else None
            if group not in told and kinds.setdefault(group, kind) == kind:
                members.setdefault(group, []).append(Item(at, candidate.tokens, self._value(at)))
        groups: dict[str | None, list[Group]] = {}
        for group, items in members.items():
            groups.setdefault(kinds[group], []).append(items)
        return groups

    def _room(self, kind: str | None, ceilings: Mapping[str, int], capacity: int) -> int:
        if kind is None:
            return capacity
        return min(max(ceilings[kind] - self._used.get(kind, 0), 0), capacity)

    def _tell(self, at: int) -> None:
        candidate = self._candidates[at]
        self._chosen.add(at)
        self._left -= candidate.tokens
        self._used[candidate.kind] = self._used.get(candidate.kind, 0) + candidate.tokens

    def _value(self, at: int) -> float:
        """What it is worth beside better ones, told or not: so more room never costs value."""
        kept = 1 - self._rules.penalty * self._redundancy[at].overlap
        return max(self._candidates[at].value * kept, _LEAST_VALUE)

    def _reason(self, at: int, told: set[int]) -> Reason:
        candidate = self._candidates[at]
        if self._redundancy[at].group in told:
            return "duplicate"
        return "ceiling" if candidate.tokens <= self._left else "budget"

    def _rank(self, at: int) -> tuple[bool, float, int, int]:
        candidate = self._candidates[at]
        return not candidate.pinned, -candidate.value, candidate.tokens, candidate.id.int
