"""Whether a memory helps, as a Beta distribution that feedback moves."""

from dataclasses import dataclass
from typing import Literal, Self

Signal = Literal["helpful", "unhelpful"]

_PRIOR = 1.0
# Signals of weight 1 that count at most. What comes after pushes out what came before, so that a memory which
# was praised a thousand times can still turn out to be of no use: fifty that say so halve what it had.
_MOST_EVIDENCE = 50.0
# Of either kind, what was only inferred counts up to here and no further: alone it keeps a usefulness between
# 1/7 and 6/7, and whoever says it ten times over outweighs it.
_MOST_INFERRED = 5.0


@dataclass(frozen=True, slots=True)
class Posterior:
    """`helpful` and `unhelpful` are the parameters alpha and beta; both are 1 at first."""

    helpful: float = _PRIOR
    unhelpful: float = _PRIOR

    def after(self, signal: Signal, weight: float) -> Self:
        """With one more signal; its weight is at most 1."""
        return type(self)(
            self.helpful + (weight if signal == "helpful" else 0.0),
            self.unhelpful + (weight if signal == "unhelpful" else 0.0),
        ).bounded()

    def inferred(self, signal: Signal, weight: float) -> Self:
        """With one more signal that nobody has given: it was read from what happened."""
        evidence = (self.helpful if signal == "helpful" else self.unhelpful) - _PRIOR
        room = max(0.0, min(weight, _MOST_INFERRED - evidence))
        return self.after(signal, room)

    def bounded(self) -> Self:
        """With no more evidence than counts; of both kinds as much less."""
        helpful, unhelpful = self.helpful - _PRIOR, self.unhelpful - _PRIOR
        kept = min(1.0, _MOST_EVIDENCE / max(helpful + unhelpful, _MOST_EVIDENCE))
        return type(self)(_PRIOR + helpful * kept, _PRIOR + unhelpful * kept)
