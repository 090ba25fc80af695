"""What can be told to be wrong with the settings before anything is started."""

import importlib
import importlib.util

from ibex.app import CONNECTIONS_PER_JOB_PROCESS, dead_ends
from ibex.auth.rpc import PACKAGES as RPC_PACKAGES
from ibex.auth.rpc import Listener, TlsError
from ibex.serving.errors import PreparationError
from ibex.settings import Settings

# What the bundled Postgres admits, less what migrations, the command line and diagnosis may need.
_EMBEDDED_CONNECTIONS = 80
_FEWEST_CONNECTIONS = 2


def check_settings(settings: Settings) -> None:
    """Raises `PreparationError`."""
    _check_tracing(settings)
    _check_rpc(settings)
    _check_aliases(settings)


def connections_per_process(settings: Settings) -> int:
    """The bundled Postgres is shared out among the processes; another one is the operator's to size.

    Raises `PreparationError` when there are too many of them.
    """
    if settings.postgres_dsn is not None:
        return settings.postgres_connections
    shared = _EMBEDDED_CONNECTIONS - CONNECTIONS_PER_JOB_PROCESS * settings.jobs
    each = shared // settings.workers
    if each < _FEWEST_CONNECTIONS:
        raise PreparationError(
            f"The bundled Postgres is too small for {settings.workers} web and {settings.jobs} job "
            "processes. Start fewer of them, or set IBEX_POSTGRES_DSN to the address of a larger one."
        )
    return min(settings.postgres_connections, each)


def _check_aliases(settings: Settings) -> None:
    for alias, model in dead_ends(settings):
        raise PreparationError(
            f"The alias `{alias}` names the model `{model}`, which no provider serves. "
            "Correct it in `aliases`, or add the model to a provider's `models`."
        )


def _check_tracing(settings: Settings) -> None:
    """The processes will need these packages; imported here, they are shared and missed in time."""
    if settings.otlp_endpoint is None:
        return
    try:
        importlib.import_module("opentelemetry.sdk.trace.export")
        importlib.import_module("opentelemetry.exporter.otlp.proto.http.trace_exporter")
    except ImportError:
        raise PreparationError(
            "An OTLP endpoint is set, but its packages are missing. "
            "Install them with: pip install 'ibex[otel]'"
        ) from None


def _check_rpc(settings: Settings) -> None:
    """The packages are looked for and not imported: gRPC must not be there when the processes are forked."""
    listener = Listener.of(settings)
    if listener is None:
        return
    if not all(importlib.util.find_spec(package) for package in RPC_PACKAGES):
        raise PreparationError(
            "A gRPC port is set, but its packages are missing. Install them with: pip install 'ibex[grpc]'"
        )
    try:
        if listener.tls is not None:
            listener.tls.read()
    except TlsError as error:
        raise PreparationError(
            f"{error} Check IBEX_GRPC_TLS_CERTIFICATE, IBEX_GRPC_TLS_KEY and IBEX_GRPC_TLS_CLIENT_CA."
        ) from None
