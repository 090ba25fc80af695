"""The settings: where they come from, and whether they can be used."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ibex.app import dead_ends
from ibex.doctor.finding import Finding, ok, problem
from ibex.settings import Settings, SettingsError, load
from ibex.settings.loading import CONFIG_VARIABLE, DEFAULT_FILE, PREFIX

_STANDARD_VARIABLES = (
    "ANTHROPIC_API_KEY",
    "OPENAI_API_KEY",
    "OPENAI_BASE_URL",
    "OTEL_EXPORTER_OTLP_ENDPOINT",
)


def configuration(file: Path | None, overrides: Mapping[str, Any]) -> tuple[Finding, Settings | None]:
    """What was read; None when it cannot be used. Variables are named, their values never shown."""
    try:
        settings = load(file=file, overrides=overrides)
        settings = settings.model_copy(update={"data_dir": settings.data_dir.expanduser().absolute()})
    except (SettingsError, RuntimeError) as error:
        return problem("settings", str(error), "Correct it; docs/configuration.md lists all settings."), None
    return ok("settings", f"From {_sources(settings, file)}."), settings


def aliases(settings: Settings) -> Finding:
    """Whether each leads to models that some provider serves."""
    lost = [f"`{alias}` names the model `{model}`" for alias, model in dead_ends(settings)]
    if lost:
        return problem(
            "aliases",
            f"No provider serves what they lead to: {', '.join(lost)}.",
            "Correct `aliases`, or add the model to a provider's `models`.",
        )
    if not settings.aliases:
        return ok("aliases", "There are none.")
    return ok("aliases", f"{', '.join(settings.aliases)}: each leads to a provider.")


def _sources(settings: Settings, file: Path | None) -> str:
    named = os.environ.get(CONFIG_VARIABLE)
    path = file or (Path(named) if named else DEFAULT_FILE if DEFAULT_FILE.exists() else None)
    of_providers = {p.api_key_env for p in settings.providers.values() if p.api_key_env}
    variables = sorted(
        name
        for name, value in os.environ.items()
        if value and (name.startswith(PREFIX) or name in _STANDARD_VARIABLES or name in of_providers)
    )
    sources = [str(path)] if path else []
    if variables:
        sources.append(f"the environment ({', '.join(variables)})")
    return " and ".join(sources) if sources else "the defaults; there is no file and no variable"
