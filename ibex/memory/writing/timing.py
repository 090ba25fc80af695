"""Since and until when a memory holds."""

from dataclasses import replace

from ibex.memory.time import validity
from ibex.memory.writing.validation import CheckedMemory


def dated(checked: CheckedMemory) -> CheckedMemory:
    """With the bounds that its text names, relative to when it was observed; bounds that were given stay."""
    if checked.valid_from is not None or checked.valid_until is not None:
        return checked
    bounds = validity(checked.content, checked.observed_at)
    if bounds is None:
        return checked
    return replace(checked, valid_from=bounds[0], valid_until=bounds[1])
