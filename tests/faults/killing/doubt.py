"""Which calls may have died with a web process before their traces were in Redis."""

from collections.abc import Sequence
from dataclasses import dataclass

# A process writes its traces several times a second; this is ample.
_WRITTEN_WITHIN = 1.0
# And goes on doing so after its Redis has been away.
_FOUND_AGAIN_WITHIN = 5.0


@dataclass(frozen=True, slots=True)
class Outage:
    """While Redis was away: `time.monotonic`."""

    since: float
    until: float


def doubtful(deaths: Sequence[float], outages: Sequence[Outage]) -> list[tuple[float, float]]:
    """Spans of time, each up to the death of a web process: what was answered within one may be lost with it.

    A trace is acknowledged once it is in Redis. Until then the process that has made it has it alone.
    """
    return [(_since(death, outages), death) for death in deaths]


def _since(death: float, outages: Sequence[Outage]) -> float:
    since = death - _WRITTEN_WITHIN
    for outage in sorted(outages, key=lambda each: each.since, reverse=True):
        if outage.since <= death and outage.until + _FOUND_AGAIN_WITHIN >= since:
            since = min(since, outage.since - _WRITTEN_WITHIN)
    return since
