"""How fast a kind of memory goes stale."""

_DAY = 86_400.0
# What happened fades within weeks, habits within a season, what is or is done so stays for a year.
_DAYS = {"episodic": 30, "behavioral": 90, "preference": 180, "factual": 365, "procedural": 365}
_DAYS_OF_OTHERS = 180


def half_life(kind: str) -> float:
    """Seconds after which a memory of this kind counts as half as recent."""
    return _DAYS.get(kind, _DAYS_OF_OTHERS) * _DAY
