"""The LiteLLM proxy, in a virtual environment of its own, set up as its production guide advises."""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.gateways import Gateway, Place
from benchmarks.load import MODEL

VENV = Path(__file__).parent / ".venv-litellm"
REQUIREMENT = "litellm[proxy]"
MASTER_KEY = "sk-bench"


def litellm() -> Gateway:
    """LiteLLM with one worker; installs it first when it is missing."""
    install()
    return Gateway(
        name="litellm",
        version=_version(),
        command=_command,
        environment=_environment,
        headers=_headers,
        health="/health/liveliness",
    )


def install() -> None:
    """Create the virtual environment, with pip's own progress on the terminal; nothing when it is there."""
    if (VENV / "bin" / "litellm").exists():
        return
    print(f"Installing {REQUIREMENT} into {VENV.name} (once)", file=sys.stderr)
    subprocess.run([sys.executable, "-m", "venv", str(VENV)], check=True)
    subprocess.run([str(VENV / "bin" / "pip"), "install", REQUIREMENT], check=True, stdout=sys.stderr)


def _version() -> str:
    program = "import importlib.metadata as m; print(m.version('litellm'))"
    python = [str(VENV / "bin" / "python"), "-c", program]
    return subprocess.run(python, check=True, capture_output=True, text=True).stdout.strip()


def _command(place: Place) -> Sequence[str]:
    configuration = place.directory / "config.yaml"
    # JSON is YAML.
    configuration.write_text(json.dumps(_configuration(place)))
    return [
        str(VENV / "bin" / "litellm"),
        f"--config={configuration}",
        "--host=127.0.0.1",
        f"--port={place.port}",
        "--num_workers=1",
        "--telemetry=False",
    ]


def _configuration(place: Place) -> dict[str, object]:
    model = {"model": f"openai/{MODEL}", "api_base": place.upstream, "api_key": "sk-upstream"}
    return {
        "model_list": [{"model_name": MODEL, "litellm_params": model}],
        "litellm_settings": {
            "num_retries": 0,
            "request_timeout": 30,
            "callbacks": [],
            "telemetry": False,
        },
        "general_settings": {"master_key": MASTER_KEY},
    }


def _environment(place: Place) -> Mapping[str, str]:
    return {
        # Its price list comes from the package, so that nothing is fetched at start.
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "LITELLM_LOG": "ERROR",
        "LITELLM_MODE": "PRODUCTION",
    }


def _headers(place: Place) -> Mapping[str, str]:
    return {"authorization": f"Bearer {MASTER_KEY}"}
