"""The machine and the user that IBEX runs as."""

import os
import platform
import resource
import sys

from ibex.doctor.finding import Finding, ok, problem, warning
from ibex.settings import Settings

_OLDEST_PYTHON = (3, 11)
# A connection to a client and one to a provider for each request in flight, and some for the rest.
_FEW_FILES = 4_096


def python() -> Finding:
    version = platform.python_version()
    if sys.version_info < _OLDEST_PYTHON:
        return problem("python", f"Python {version} is too old.", "Run IBEX with Python 3.11 or newer.")
    return ok("python", f"Python {version} on {platform.system()} {platform.machine()}.")


def system() -> Finding:
    if sys.platform == "linux":
        return ok("system", f"{platform.system()} {platform.release()}.")
    return warning(
        "system",
        f"{platform.system()} {platform.release()}: after kill -9 of IBEX its bundled servers go on running.",
        "Use Linux where that matters, or servers of your own (IBEX_POSTGRES_DSN, IBEX_REDIS_URL).",
    )


def user() -> Finding:
    if os.geteuid() == 0:
        return warning(
            "user",
            "Running as root; the bundled servers are run as `nobody`.",
            "Run IBEX as an ordinary user.",
        )
    return ok("user", f"Running as user {os.geteuid()}.")


def open_files() -> Finding:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < _FEW_FILES:
        return warning(
            "open files",
            f"A process may open {soft} files (at most {hard}), two of them for each request in flight.",
            f"Raise the limit: ulimit -n {_FEW_FILES}, or LimitNOFILE in the unit file.",
        )
    return ok("open files", f"A process may open {'any number of' if soft < 0 else soft} files.")


def tracing(settings: Settings) -> Finding:
    if settings.otlp_endpoint is None:
        return ok("tracing", "Off; no OTLP endpoint is set.")
    try:
        import opentelemetry.exporter.otlp.proto.http.trace_exporter
        import opentelemetry.sdk.trace.export  # noqa: F401
    except ImportError:
        return problem(
            "tracing",
            "An OTLP endpoint is set, but its packages are missing.",
            "Install them: pip install 'ibex[otel]'.",
        )
    return ok("tracing", "An OTLP endpoint is set and its packages are installed.")
