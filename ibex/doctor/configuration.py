"""The settings: where they come from, and whether they can be used."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ibex.doctor.finding import Finding, ok, problem
from ibex.settings import Settings, SettingsError, load
from ibex.settings.loading import CONFIG_VARIABLE, DEFAULT_FILE, PREFIX

_STANDARD_VARIABLES = ("OPENAI_API_KEY", "OPENAI_BASE_URL", "OTEL_EXPORTER_OTLP_ENDPOINT")


def configuration(file: Path | None, overrides: Mapping[str, Any]) -> tuple[Finding, Settings | None]:
    """What was read; None when it cannot be used. Variables are named, their values never shown."""
    try:
        settings = load(file=file, overrides=overrides)
        settings = settings.model_copy(update={"data_dir": settings.data_dir.expanduser().absolute()})
    except (SettingsError, RuntimeError) as error:
        return problem("settings", str(error), "Correct it; docs/configuration.md lists all settings."), None
    return ok("settings", f"From {_sources(settings, file)}."), settings


def _sources(settings: Settings, file: Path | None) -> str:
    named = file or (Path(os.environ[CONFIG_VARIABLE]) if CONFIG_VARIABLE in os.environ else None)
    path = named or (DEFAULT_FILE if DEFAULT_FILE.exists() else None)
    of_providers = {p.api_key_env for p in settings.providers.values() if p.api_key_env}
    variables = sorted(
        name
        for name in os.environ
        if name.startswith(PREFIX) or name in _STANDARD_VARIABLES or name in of_providers
    )
    sources = [str(path)] if path else []
    if variables:
        sources.append(f"the environment ({', '.join(variables)})")
    return " and ".join(sources) if sources else "the defaults; there is no file and no variable"
