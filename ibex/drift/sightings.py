"""What an agent's calls were made with, since when: the likely causes of a change."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from ibex.traces.trace import Trace

# Newest values of each that are remembered.
_MOST_VALUES = 16
# A change shows within 300 calls. What came a day before it, or since the baseline, is no news (seconds).
_BEFORE = 86_400.0
KINDS: Final = ("directive", "model_served", "provider_fingerprint", "provider", "client")

# Kind → value → when it was first seen, in seconds since the epoch.
Sightings = dict[str, dict[str, float]]


@dataclass(frozen=True, slots=True)
class Cause:
    """Something that became different shortly before a change, or with it.

    Parameters
    ----------
    kind: one of `KINDS`, or `memories`.
    value: the new one; of memories how many were added.
    at: when it was first seen, in seconds since the epoch.
    """

    kind: str
    value: str
    at: float


def sight(seen: Sightings, trace: Trace) -> None:
    """Remember what a call was made with."""
    values = (
        None if trace.directive_number is None else str(trace.directive_number),
        trace.model_served,
        trace.provider_fingerprint,
        trace.provider,
        trace.client,
    )
    for kind, value in zip(KINDS, values, strict=True):
        if value is None:
            continue
        known = seen.setdefault(kind, {})
        if value not in known:
            known[value] = trace.at.timestamp()
            if len(known) > _MOST_VALUES:
                del known[next(iter(known))]


def causes(seen: Mapping[str, Mapping[str, float]], since: float, learned_until: float) -> list[Cause]:
    """What was seen for the first time after the baseline was made, and not long before `since`."""
    earliest = max(since - _BEFORE, learned_until)
    return [
        Cause(kind, value, at) for kind in KINDS for value, at in seen.get(kind, {}).items() if at > earliest
    ]
