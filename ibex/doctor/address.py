"""The address that clients connect to."""

import errno
import http.client
import json
import socket

from ibex.doctor.finding import Finding, ok, problem
from ibex.settings import Settings

_PATIENCE = 2.0
_REMEDY = "Choose another one with --host and --port (IBEX_HOST, IBEX_PORT), or stop what uses it."


def port(settings: Settings, *, is_running: bool) -> Finding:
    """Whether the address is free, or ours already."""
    where = f"{settings.host}:{settings.port}"
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
            probe.listen(1)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                return problem("port", f"{where} cannot be listened on: {error.strerror}.", _REMEDY)
        else:
            return ok("port", f"{where} is free.")
    version = _version_of_ibex(settings)
    if version is None:
        return problem("port", f"{where} is used by another program.", _REMEDY)
    if not is_running:
        return problem("port", f"{where} is used by an IBEX with another data directory.", _REMEDY)
    return ok("port", f"{where} is served by IBEX {version}.")


def _version_of_ibex(settings: Settings) -> str | None:
    """What an IBEX says at `/health`; None when it is something else that listens there."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)  # noqa: S104
    connection = http.client.HTTPConnection(host, settings.port, timeout=_PATIENCE)
    try:
        connection.request("GET", "/health")
        answer = json.loads(connection.getresponse().read(4_096))
        return str(answer["version"]) if answer["status"] == "alive" else None
    except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError):
        return None
    finally:
        connection.close()
