"""What can go wrong with a request, other than an answer that says so."""


class UnreachableError(Exception):
    """No connection could be had in time."""


class BrokenAnswerError(Exception):
    """The connection ended, or the bytes made no sense, before the answer was complete."""
