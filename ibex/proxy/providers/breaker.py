"""A circuit breaker: a provider that keeps failing is left alone for a while."""

import time
from collections.abc import Callable


class CircuitBreaker:
    """Opens after `threshold` failures in a row; after `rest` seconds lets one call through to find out.

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

    def admit(self) -> bool:
        """Whether a call may be made now. Each admitted call ends in `succeeded`, `failed` or `abandoned`."""
        if not self.is_open:
            return True
        if self._probing or self._clock() < self._closed_again_at:
            return False
        self._probing = True
        return True

    def wait(self) -> float:
        """Seconds until a call may be let through."""
        return max(0.0, self._closed_again_at - self._clock())

    def succeeded(self) -> None:
        self._failures = 0
        self._probing = False

    def failed(self) -> None:
        self._failures += 1
        self._probing = False
        if self.is_open:
            self._closed_again_at = self._clock() + self._rest

    def abandoned(self) -> None:
        """The call ended without saying anything about the provider: its client left."""
        self._probing = False
