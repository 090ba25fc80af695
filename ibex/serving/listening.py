"""The socket that all web processes accept from."""

import errno
import socket
import time

_BACKLOG = 2_048
# The processes of a supervisor that was killed let go of their socket within this time (seconds).
_PATIENCE = 5.0


def bind(host: str, port: int) -> socket.socket:
    """Reserve an address; nothing connects before `listen`. Raises `OSError` when it cannot be had."""
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
                raise
            time.sleep(0.1)
        else:
            return reserved


def listen(reserved: socket.socket) -> None:
    """Let connections queue up; whichever process is free accepts the next."""
    reserved.listen(_BACKLOG)
