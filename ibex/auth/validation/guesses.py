"""What a token may cost by naming agents that are not there."""

import math
from collections.abc import Callable
from uuid import UUID

from ibex.errors import ErrorCode, IbexError

# Look-ups a token may waste at once, and in a minute after that. Nobody who means an agent gets near it: a
# name that is found costs nothing, and a mistaken client need not be told more than once a second.
_MOST = 60
_PER_MINUTE = 60
_INTERVAL = 60.0 / _PER_MINUTE


class AgentGuesses:
    """Bounds the look-ups that find no agent, for each token. They come before any limit: without them it is
    not known whose limits apply.

    A generic cell rate algorithm (ITU-T I.371): of each token only the time is kept at which all that it has
    used is made up for. Of the newest `capacity` tokens; one that has made up for everything is forgotten.
    """

    def __init__(self, capacity: int, clock: Callable[[], float]) -> None:
        self._capacity = capacity
        self._clock = clock
        self._made_up_at: dict[UUID, float] = {}

    def __len__(self) -> int:
        return len(self._made_up_at)

    def take(self, token_id: UUID) -> None:
        """Use one, before it is known what it finds. Raises RATE_LIMITED when there is none left."""
        now = self._clock()
        made_up_at = max(now, self._made_up_at.get(token_id, now)) + _INTERVAL
        wait = made_up_at - now - _MOST * _INTERVAL
        if wait > 0:
            seconds = math.ceil(wait)
            raise IbexError(
                ErrorCode.RATE_LIMITED,
                "The token has named too many agents that are not there. "
                f"Try again in {seconds} s, with one of its organization.",
                detail="limit: agents of a token that are not there",
                param="X-IBEX-Agent-ID",
                headers={"Retry-After": str(seconds)},
            )
        self._set(token_id, made_up_at)

    def give_back(self, token_id: UUID) -> None:
        """It has found somebody, or nothing at all."""
        made_up_at = self._made_up_at.get(token_id)
        if made_up_at is not None:
            self._set(token_id, made_up_at - _INTERVAL)

    def _set(self, token_id: UUID, made_up_at: float) -> None:
        self._made_up_at.pop(token_id, None)
        if made_up_at > self._clock():
            if len(self._made_up_at) >= self._capacity:
                del self._made_up_at[next(iter(self._made_up_at))]
            self._made_up_at[token_id] = made_up_at
