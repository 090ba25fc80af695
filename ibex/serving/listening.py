"""The socket that all web processes accept from."""

import errno
import socket
import time

_BACKLOG = 2_048
# The processes of a supervisor that was killed let go of their socket within this time (seconds).
_PATIENCE = 2.0


class AddressError(Exception):
    """The address cannot be listened on; the message says why and what to do."""


def bind(host: str, port: int) -> socket.socket:
    """Reserve an address; nothing connects before `listen`. Raises `AddressError` when it cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    deadline = time.monotonic() + _PATIENCE
    while True:
        reserved = socket.socket(family, socket.SOCK_STREAM)
        reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            reserved.bind((host, port))
        except OSError as error:
            reserved.close()
            if error.errno != errno.EADDRINUSE or time.monotonic() > deadline:
                raise _refused(host, port, error) from None
            time.sleep(0.1)
        else:
            return reserved


def listen(reserved: socket.socket) -> None:
    """Let connections queue up; whichever process is free accepts the next. Raises `AddressError`."""
    host, port = reserved.getsockname()[:2]
    try:
        reserved.listen(_BACKLOG)
    except OSError as error:
        # Two may have reserved the same address; the first to listen has it.
        raise _refused(host, port, error) from None


def _refused(host: str, port: int, error: OSError) -> AddressError:
    return AddressError(
        f"{host}:{port} cannot be listened on: {error.strerror}. "
        "Choose another with --host and --port (IBEX_HOST, IBEX_PORT), or stop what uses it."
    )
