"""The server binaries that come with IBEX."""

import subprocess
from pathlib import Path

from ibex.doctor.finding import Finding, ok, problem
from ibex.embedded import EmbeddedError
from ibex.embedded.account import server_account
from ibex.embedded.binaries import postgres_home, valkey_binary
from ibex.settings import Settings

_PATIENCE = 10.0


def postgres(settings: Settings) -> Finding:
    if settings.postgres_dsn is not None:
        return ok("bundled Postgres", "Not needed; IBEX_POSTGRES_DSN is given.")
    try:
        binary = postgres_home(server_account(), report=_silently) / "bin" / "postgres"
    except EmbeddedError as error:
        return problem("bundled Postgres", str(error), "Or set IBEX_POSTGRES_DSN.")
    return _runs("bundled Postgres", binary, "IBEX_POSTGRES_DSN")


def valkey(settings: Settings) -> Finding:
    if settings.redis_url is not None:
        return ok("bundled Valkey", "Not needed; IBEX_REDIS_URL is given.")
    try:
        binary = valkey_binary(server_account(), report=_silently)
    except EmbeddedError as error:
        return problem("bundled Valkey", str(error), "Or set IBEX_REDIS_URL.")
    return _runs("bundled Valkey", binary, "IBEX_REDIS_URL")


def _runs(check: str, binary: Path, variable: str) -> Finding:
    remedy = f"Reinstall IBEX, or run a server of your own and set {variable}."
    try:
        said = subprocess.run(  # noqa: S603 - the binary is our own
            [str(binary), "--version"], capture_output=True, text=True, timeout=_PATIENCE, check=True
        )
    except (OSError, subprocess.SubprocessError) as error:
        return problem(check, f"{binary} cannot be run: {type(error).__name__}.", remedy)
    return ok(check, f"{said.stdout.strip()}.")


def _silently(sentence: str) -> None:
    return
