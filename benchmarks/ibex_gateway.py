"""IBEX as a user starts it: with Postgres, Valkey, a web and a job process, and limits out of reach."""

import json
import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import version

from benchmarks.gateways import Gateway, Place

OUT_OF_REACH = "100000000"  # Requests a minute.


def ibex() -> Gateway:
    """The IBEX of this interpreter."""
    return Gateway(
        name="ibex",
        version=version("ibex"),
        command=_command,
        environment=_environment,
        headers=_headers,
        companions=frozenset({"postgres", "valkey-server"}),
    )


def _command(place: Place) -> Sequence[str]:
    serve = [sys.executable, "-m", "ibex", "serve", "--workers", "1"]
    return [*serve, "--data-dir", str(place.directory / "data"), "--port", str(place.port)]


def _environment(place: Place) -> Mapping[str, str]:
    return {
        "OPENAI_API_KEY": "sk-upstream",
        "OPENAI_BASE_URL": place.upstream,
        "IBEX_LIMITS_TOKEN_RPM": OUT_OF_REACH,
        "IBEX_LIMITS_AGENT_RPM": OUT_OF_REACH,
        "IBEX_LIMITS_ORGANIZATION_RPM": OUT_OF_REACH,
    }


def _headers(place: Place) -> Mapping[str, str]:
    credentials = json.loads((place.directory / "data" / "credentials.json").read_text())
    # This is about the proxy; what memory costs, `benchmarks.context` tells.
    return {"authorization": f"Bearer {credentials['token']}", "x-ibex-skip-memory": "true"}
