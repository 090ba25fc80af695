"""Why IBEX does not start."""


class PreparationError(Exception):
    """IBEX cannot start; the message is a sentence that says why and what to do."""
