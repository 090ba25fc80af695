"""A circuit breaker: a provider that keeps failing is left alone for a while."""

import time
from collections.abc import Callable
from typing import Literal

Admitted = Literal["call", "probe"]


class CircuitBreaker:
    """Opens after `threshold` failures in a row; after `rest` seconds lets one call through to find out.

    Each admitted call ends in `succeeded`, `failed` or `abandoned`, told what it was admitted as. While the
    breaker is open only the probe's end counts: calls that began before say nothing new.

    Nygard, "Release It!" (2007).
    """

    def __init__(
        self, *, threshold: int = 10, rest: float = 5.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._threshold = threshold
        self._rest = rest
        self._clock = clock
        self._failures = 0
        self._closed_again_at = 0.0
        self._probing = False

    @property
    def is_open(self) -> bool:
        return self._failures >= self._threshold

    def admit(self) -> Admitted | None:
        """As what a call may be made now; None when it may not."""
        if not self.is_open:
            return "call"
        if self._probing or self._clock() < self._closed_again_at:
            return None
        self._probing = True
        return "probe"

    def wait(self) -> float:
        """Seconds until a call may be let through."""
        return max(0.0, self._closed_again_at - self._clock())

    def succeeded(self, admitted: Admitted) -> None:
        if self._counts(admitted):
            self._failures = 0

    def failed(self, admitted: Admitted) -> None:
        if self._counts(admitted):
            self._failures += 1
            if self.is_open:
                self._closed_again_at = self._clock() + self._rest

    def abandoned(self, admitted: Admitted) -> None:
        """The call ended without saying anything about the provider: its client left."""
        self._counts(admitted)

    def _counts(self, admitted: Admitted) -> bool:
        """Whether the end of a call says something; that of a probe makes room for the next one."""
        if admitted == "probe":
            self._probing = False
            return True
        return not self.is_open
