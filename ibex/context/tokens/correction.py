"""Estimates that learn from what providers report."""

import math
from collections import OrderedDict

# A step moves an estimate by 1 % at most, so that it takes dozens of calls that agree to change it much, and
# one call with an image in it next to nothing.
_SHARE = 0.05
_LARGEST_ERROR = math.log(1.22)
_FURTHEST = math.log(2.0)
# Of shorter prompts the overhead of messages is too large a share.
_LEAST_TOKENS = 50
_MOST_MODELS = 256


class Corrections:
    """A factor for each model that was heard of lately; 1.0 for others, between a half and two for any."""

    def __init__(self) -> None:
        self._logarithms: OrderedDict[str, float] = OrderedDict()

    def factor(self, model: str) -> float:
        return math.exp(self._logarithms.get(model, 0.0))

    def observe(self, model: str, estimated: int, reported: int) -> None:
        """Learn from one call.

        Parameters
        ----------
        estimated: tokens of the prompt, with the factor as it is now.
        reported: what the provider has counted.
        """
        if estimated < _LEAST_TOKENS or reported <= 0:
            return
        error = math.log(reported / estimated)
        step = _SHARE * max(-_LARGEST_ERROR, min(_LARGEST_ERROR, error))
        moved = self._logarithms.pop(model, 0.0) + step
        self._logarithms[model] = max(-_FURTHEST, min(_FURTHEST, moved))
        if len(self._logarithms) > _MOST_MODELS:
            self._logarithms.popitem(last=False)
