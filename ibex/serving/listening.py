"""The socket that all web processes accept from, and the address that each listens on for gRPC."""

import errno
import socket
import time

_BACKLOG = 2_048
# The processes of a supervisor that was killed let go of their socket within this time (seconds).
_PATIENCE = 2.0


class AddressError(Exception):
    """The address cannot be listened on; the message says why and what to do."""


class RpcAddressError(Exception):
    """The same of the address for gRPC."""


def bind(host: str, port: int) -> socket.socket:
    """Reserve an address; nothing connects before `listen`. Raises `AddressError` when it cannot be had."""
    try:
        return _bind(host, port, socket.SO_REUSEADDR)
    except OSError as error:
        raise _refused(host, port, error) from None


def reserve(host: str, port: int) -> socket.socket:
    """Keep an address for the processes of one's own, each of which is to listen on it with SO_REUSEPORT.

    To keep it, a socket must have that option, but by it alone it would share the address with anybody else
    of the same user who has it, such as a second IBEX. So a first one without it finds out that nobody does.
    Raises `RpcAddressError` when the address cannot be had.
    """
    try:
        with _bind(host, port, socket.SO_REUSEADDR) as first:
            first.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)
            first.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            # While both are bound, nobody gets in between.
            return _bind(host, first.getsockname()[1], socket.SO_REUSEPORT)
    except OSError as error:
        raise RpcAddressError(
            f"{host}:{port} cannot be listened on for gRPC: {error.strerror}. "
            "Choose another with IBEX_GRPC_HOST and IBEX_GRPC_PORT, or stop what uses it."
        ) from None


def listen(reserved: socket.socket) -> None:
    """Let connections queue up; whichever process is free accepts the next. Raises `AddressError`."""
    host, port = reserved.getsockname()[:2]
    try:
        reserved.listen(_BACKLOG)
    except OSError as error:
        # Two may have reserved the same address; the first to listen has it.
        raise _refused(host, port, error) from None


def _bind(host: str, port: int, option: int) -> socket.socket:
    """A bound socket, once a process that is about to end has let go of the address. Raises OSError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    deadline = time.monotonic() + _PATIENCE
    while True:
        bound = socket.socket(family, socket.SOCK_STREAM)
        bound.setsockopt(socket.SOL_SOCKET, option, 1)
        try:
            bound.bind((host, port))
        except OSError as error:
            bound.close()
            if error.errno != errno.EADDRINUSE or time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            return bound


def _refused(host: str, port: int, error: OSError) -> AddressError:
    return AddressError(
        f"{host}:{port} cannot be listened on: {error.strerror}. "
        "Choose another with --host and --port (IBEX_HOST, IBEX_PORT), or stop what uses it."
    )
