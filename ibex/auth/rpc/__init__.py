"""Whether a token is valid, for services beside IBEX, over gRPC.

gRPC does not survive a fork, so nothing here imports its packages until a server is made: that is for the
processes that have been forked already.
"""

import os
from typing import TYPE_CHECKING

from ibex.auth.rpc.listener import Listener
from ibex.auth.rpc.tls import TlsError, TlsFiles
from ibex.auth.validation import Refused, TokenValidator
from ibex.storage import Postgres
from ibex.telemetry import AccessLog, Instruments

if TYPE_CHECKING:
    from ibex.auth.rpc.server import RpcServer

__all__ = ["PACKAGES", "Listener", "TlsError", "TlsFiles", "rpc_server"]

# What the extra `grpc` installs.
PACKAGES = ("grpc", "grpc_health", "grpc_reflection")


def rpc_server(
    listener: Listener,
    *,
    validator: TokenValidator,
    refused: Refused,
    postgres: Postgres,
    timeout: float,
    instruments: Instruments,
    access_log: AccessLog,
) -> "RpcServer":
    """The server of this process, not started yet; only on a running event loop, and after every fork.

    Parameters
    ----------
    refused: told of every caller that lacks the right to ask.
    postgres: what the health service looks at.
    timeout: seconds that a call may take.
    """
    # Its own log is not JSON, and whoever can reach the port could fill it with failed handshakes.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    from ibex.auth.rpc.endpoint import CallRecord
    from ibex.auth.rpc.health import HealthService
    from ibex.auth.rpc.server import RpcServer
    from ibex.auth.rpc.service import AuthService

    return RpcServer(
        listener,
        AuthService(validator, refused),
        HealthService(postgres),
        CallRecord(instruments, access_log),
        timeout=timeout,
    )
