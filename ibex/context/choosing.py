"""From what was recalled to what is told: the most valuable memories that fit, each as a line."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from uuid import UUID

from ibex.context.formatting import line
from ibex.context.learning import Told
from ibex.context.packing import Candidate, PackingRules, pack
from ibex.context.receipts import Considered, LeftOut
from ibex.context.redundancy import terms
from ibex.context.retrieval import Recalled

# So much of the best memory's value the least one has: among equally long ones the order of their scores
# decides, and two short ones may be worth more than a long one that is a little better.
_LEAST_VALUE = 0.25
# English has about four characters to a token, and no text more than eight.
_CHARACTERS_PER_TOKEN = 4
_LONGEST_PER_TOKEN = 8
# Characters that are considered for each token of the budget, and for a small one: they take some 5 ms.
_MOST_PER_TOKEN = 16
_LEAST_CONSIDERED = 16_000
# Characters of a conversation, its end, in which a memory is looked for: 50 memories in as many take 2 ms.
_MOST_SAID = 200_000


@dataclass(frozen=True, slots=True)
class Chosen:
    """What is told, and what was considered, the best first.

    Parameters
    ----------
    lines: of the memories that are told, in the order in which they were said.
    tokens: of the lines.
    """

    told: Sequence[Told] = ()
    considered: Sequence[Considered] = ()
    lines: Sequence[str] = field(default=(), repr=False)
    tokens: int = 0


def chosen(
    recalled: Sequence[Recalled],
    budget: int,
    count: Callable[[str], int],
    *,
    said: Iterable[str] = (),
    without: AbstractSet[UUID] = frozenset(),
    rules: PackingRules,
) -> Chosen:
    """Choose of what was recalled what is worth most within a budget.

    Parameters
    ----------
    recalled: best first.
    budget: tokens.
    count: the tokens of a text.
    said: what stands in the conversation already, and is not told again.
    without: memories that are left out.
    rules: of what goes in besides value.
    """
    if not recalled:
        return Chosen()
    present = _normalized("\n".join(said))[-_MOST_SAID:]
    reasons: dict[int, LeftOut] = dict.fromkeys(_beyond(recalled, budget), "budget")
    lines: dict[int, str] = {}
    for at, each in enumerate(recalled):
        if each.id in without:
            reasons[at] = "without"
        elif at not in reasons:
            lines[at] = f"{line(each.text, voice=each.voice, at=each.observed_at)}\n"
            if _normalized(each.text) in present:
                reasons[at] = "conversation"
    tokens = [
        count(lines[at]) if at in lines else len(each.text) // _CHARACTERS_PER_TOKEN
        for at, each in enumerate(recalled)
    ]
    open_ = [at for at in range(len(recalled)) if at not in reasons]
    values = _values([recalled[at].score for at in open_])
    candidates = [
        Candidate(
            id=recalled[at].id or UUID(int=at),
            kind=recalled[at].kind,
            value=value,
            tokens=tokens[at],
            pinned=recalled[at].pinned,
            terms=terms(recalled[at].text),
        )
        for at, value in zip(open_, values, strict=True)
    ]
    packing = pack(candidates, budget, rules)
    reasons |= {open_[position]: reason for position, reason in packing.left_out.items()}
    told = sorted((open_[position] for position in packing.chosen), key=lambda at: _place(recalled[at]))
    return Chosen(
        told=[Told(recalled[at].id, recalled[at].text) for at in told],
        considered=[
            _considered(each, rank, tokens[rank - 1], reasons.get(rank - 1))
            for rank, each in enumerate(recalled, 1)
        ],
        lines=[lines[at].removesuffix("\n") for at in told],
        tokens=packing.tokens,
    )


def _beyond(recalled: Sequence[Recalled], budget: int) -> Iterator[int]:
    """Positions of those that are far too long to fit, or behind so much text that nothing of them would.

    Whoever has stored a hundred thousand characters fifty times holds nobody up.
    """
    left = max(_MOST_PER_TOKEN * budget, _LEAST_CONSIDERED)
    for at, each in enumerate(recalled):
        if len(each.text) > left or len(each.text) > _LONGEST_PER_TOKEN * budget:
            yield at
        else:
            left -= len(each.text)


def _values(scores: Sequence[float]) -> list[float]:
    """Scores may be negative, and only order the memories of one answer: their range becomes the value's."""
    if not scores:
        return []
    worst, best = min(scores), max(scores)
    if worst == best:
        return [1.0] * len(scores)
    return [_LEAST_VALUE + (1 - _LEAST_VALUE) * (score - worst) / (best - worst) for score in scores]


def _place(recalled: Recalled) -> tuple[object, ...]:
    return recalled.observed_at, recalled.id is None, str(recalled.id)


def _considered(recalled: Recalled, rank: int, tokens: int, reason: LeftOut | None) -> Considered:
    return Considered(
        memory_id=recalled.id,
        kind=recalled.kind,
        source=recalled.source,
        rank=rank,
        score=round(recalled.score, 4),
        components=recalled.components,
        tokens=tokens,
        reason=reason,
    )


def _normalized(text: str) -> str:
    return " ".join(text.casefold().split())
