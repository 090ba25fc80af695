"""What an agent's configuration may say of drift."""

from collections.abc import Mapping
from typing import Any

from ibex.auth.names import invalid

_FIELD = "config.drift"
SUSPENDS_ON = ("low", "medium", "high", "never")


def check_drift_choice(config: Mapping[str, Any]) -> None:
    """`{"drift": {"suspend_on": "high"}}` or nothing. Raises VALIDATION_ERROR."""
    choice = config.get("drift")
    if choice is None:
        return
    if not isinstance(choice, Mapping):
        raise invalid(_FIELD, "What a configuration says of drift is an object.")
    unknown = sorted(set(choice) - {"suspend_on"})
    if unknown:
        raise invalid(_FIELD, f"There is no `{unknown[0][:64]}`; there is `suspend_on`.")
    if "suspend_on" in choice and choice["suspend_on"] not in SUSPENDS_ON:
        there_are = ", ".join(f"`{one}`" for one in SUSPENDS_ON)
        raise invalid(f"{_FIELD}.suspend_on", f"An alert that pauses the agent is one of {there_are}.")
