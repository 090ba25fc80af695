"""The one error of this package, and how a failed system call becomes it."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager

_REMEDIES = {
    errno.ENOSPC: "Free some space on that disk, or choose another data directory with --data-dir.",
    errno.EDQUOT: "Free some of your quota, or choose another data directory with --data-dir.",
    errno.EROFS: "Choose a writable data directory with --data-dir or IBEX_DATA_DIR.",
    errno.EACCES: "Run ibex as the user who owns the data directory, or choose another with --data-dir.",
    errno.EPERM: "Run ibex as the user who owns the data directory, or choose another with --data-dir.",
}
_REMEDY = "Choose another data directory with --data-dir or IBEX_DATA_DIR."


class EmbeddedError(Exception):
    """A bundled server cannot do its work; the message is for a human and says what to do."""


@contextmanager
def explaining(action: str) -> Iterator[None]:
    """Turn an `OSError` into an `EmbeddedError` that reads "Cannot <action>: <reason>. <remedy>"."""
    try:
        yield
    except OSError as error:
        place = f" ({error.filename})" if error.filename else ""
        remedy = _REMEDIES.get(error.errno or 0, _REMEDY)
        raise EmbeddedError(f"Cannot {action}: {error.strerror or error}{place}. {remedy}") from error
