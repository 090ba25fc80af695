"""Settings are read once, from `ibex.toml` and the environment.

The environment wins over the file. A variable's name is `IBEX_` and the setting's path in upper case:
`port` is `IBEX_PORT`, `limits.token_rpm` is `IBEX_LIMITS_TOKEN_RPM`. An empty one counts as unset, because
compose files pass on what they were not given. Providers and aliases are tables in the file, or JSON in
`IBEX_PROVIDERS` and `IBEX_ALIASES`; so are models, in `IBEX_CONTEXT_MODELS`.
"""

import difflib
import json
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, SecretStr, ValidationError
from pydantic_core import ErrorDetails

from ibex.settings.headers import api_key
from ibex.settings.notifications import NotificationSettings
from ibex.settings.schema import (
    ContextSettings,
    EmbedderSettings,
    LimitSettings,
    MemorySettings,
    ModelSettings,
    ProviderSettings,
    RetrySettings,
    Settings,
    TimeoutSettings,
)
from ibex.settings.section import Section

PREFIX = "IBEX_"
CONFIG_VARIABLE = "IBEX_CONFIG"
DEFAULT_FILE = Path("ibex.toml")


class SettingsError(Exception):
    """A setting is wrong or unknown; the message is a sentence that says which and why."""


def load(
    environment: Mapping[str, str] | None = None,
    file: Path | None = None,
    overrides: Mapping[str, Any] | None = None,
) -> Settings:
    """Settings from the file, then the environment, then `overrides` (command-line options; None is unset).

    Raises `SettingsError` when a value is wrong, a name is unknown or the file cannot be read.
    """
    environment = os.environ if environment is None else environment
    tree = _read_file(file or _named_file(environment))
    origin: dict[str, str] = {}
    for path, variable, value in _from_environment(environment):
        _put(tree, path, value)
        origin[".".join(path)] = variable
    tree.update({name: value for name, value in (overrides or {}).items() if value is not None})
    _add_standard_variables(tree, environment, origin)
    try:
        settings = Settings.model_validate(tree)
    except ValidationError as error:
        raise SettingsError(_sentence(error, origin)) from None
    return _with_keys(_with_origins(settings, origin), environment)


def _named_file(environment: Mapping[str, str]) -> Path | None:
    named = environment.get(CONFIG_VARIABLE)
    return Path(named) if named else None


def _read_file(file: Path | None) -> dict[str, Any]:
    if file is None and not DEFAULT_FILE.exists():
        return {}
    path = file or DEFAULT_FILE
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise SettingsError(f"The settings file {path} cannot be read: {error.strerror}.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"The settings file {path} is not valid TOML: {error}.") from None


def _variables() -> dict[str, tuple[str, ...]]:
    """Every variable name with the path of its setting."""
    names: dict[str, tuple[str, ...]] = {}
    for name, info in Settings.model_fields.items():
        names[PREFIX + name.upper()] = (name,)
        if isinstance(info.annotation, type) and issubclass(info.annotation, Section):
            for inner in info.annotation.model_fields:
                names[f"{PREFIX}{name}_{inner}".upper()] = (name, inner)
    return names


def _from_environment(environment: Mapping[str, str]) -> list[tuple[tuple[str, ...], str, Any]]:
    known = _variables()
    found: list[tuple[tuple[str, ...], str, Any]] = []
    for variable, text in sorted(environment.items()):
        if not text or not variable.startswith(PREFIX) or variable == CONFIG_VARIABLE:
            continue
        path = known.get(variable)
        if path is None:
            raise SettingsError(f"{variable} is not a setting of IBEX.{_did_you_mean(variable, list(known))}")
        value: Any = text
        if path[-1] in {
            "providers",
            "aliases",
            "limits",
            "embedder",
            "memory",
            "context",
            "notifications",
            "models",
            "floors",
            "ceilings",
        }:
            try:
                value = json.loads(text)
            except ValueError as error:
                raise SettingsError(f"{variable} must be a JSON object: {error}.") from None
        found.append((path, variable, value))
    return found


def _put(tree: dict[str, Any], path: tuple[str, ...], value: Any) -> None:
    for name in path[:-1]:
        inner = tree.setdefault(name, {})
        if not isinstance(inner, dict):
            raise SettingsError(f"`{name}` must be a table.")
        tree = inner
    tree[path[-1]] = value


def _add_standard_variables(
    tree: dict[str, Any], environment: Mapping[str, str], origin: dict[str, str]
) -> None:
    """The variables of the official clients declare a provider each; no provider at all is the mock."""
    endpoint = environment.get("OTEL_EXPORTER_OTLP_ENDPOINT")
    if endpoint and "otlp_endpoint" not in tree:
        tree["otlp_endpoint"] = endpoint
        origin["otlp_endpoint"] = "OTEL_EXPORTER_OTLP_ENDPOINT"
    if tree.get("providers", {}) != {}:
        return
    providers: dict[str, Any] = {}
    key, base_url = environment.get("OPENAI_API_KEY"), environment.get("OPENAI_BASE_URL")
    if key or base_url:
        openai: dict[str, Any] = {"kind": "openai", "models": ["*"]}
        if key:
            openai["api_key"] = key
        if base_url:
            openai["base_url"] = base_url
            origin["providers.openai.base_url"] = "OPENAI_BASE_URL"
        providers["openai"] = openai
        origin["providers.openai"] = "OPENAI_API_KEY" if key else "OPENAI_BASE_URL"
    if anthropic_key := environment.get("ANTHROPIC_API_KEY"):
        providers["anthropic"] = {"kind": "anthropic", "models": ["*"], "api_key": anthropic_key}
        origin["providers.anthropic"] = "ANTHROPIC_API_KEY"
    tree["providers"] = providers or {"mock": {"kind": "mock", "models": ["*"]}}


def _with_origins(settings: Settings, origin: Mapping[str, str]) -> Settings:
    """Providers that a variable has declared know which one."""
    providers = {
        name: provider.declared_by(origin[f"providers.{name}"]) if f"providers.{name}" in origin else provider
        for name, provider in settings.providers.items()
    }
    return settings.model_copy(update={"providers": providers})


def _with_keys(settings: Settings, environment: Mapping[str, str]) -> Settings:
    """Providers whose key is named by `api_key_env` get it from there."""
    providers = dict(settings.providers)
    for name, provider in settings.providers.items():
        if provider.api_key_env is None:
            continue
        key = environment.get(provider.api_key_env)
        if not key:
            raise SettingsError(
                f"`providers.{name}.api_key_env` names {provider.api_key_env}, which the environment lacks."
            )
        try:
            providers[name] = provider.model_copy(update={"api_key": api_key(SecretStr(key))})
        except ValueError as error:
            raise SettingsError(f"{provider.api_key_env} {error}.") from None
    return settings.model_copy(update={"providers": providers})


def _sentence(error: ValidationError, origin: Mapping[str, str]) -> str:
    """One sentence per wrong setting, naming it as the user wrote it; the value itself may be secret."""
    sentences = []
    for problem in error.errors():
        path = ".".join(part for part in problem["loc"] if isinstance(part, str))
        name = origin.get(path, f"`{path}`")
        if problem["type"] == "extra_forbidden":
            hint = _did_you_mean(str(problem["loc"][-1]), _names_beside(problem["loc"]))
            sentences.append(f"{name} is not a setting of IBEX.{hint}")
        else:
            reason = _reason(problem)
            wrong = f"{name} is wrong" if path else "The settings do not fit together"
            sentences.append(f"{wrong}: {reason[0].lower()}{reason[1:]}.")
    return " ".join(sentences)


def _reason(problem: ErrorDetails) -> str:
    if problem["type"] == "tuple_type":
        return "should be a list of texts"
    if problem["type"] == "string_pattern_mismatch":
        return "a name has 1 to 63 small letters, digits, `.`, `_` and `-`, the first a letter or digit"
    return problem["msg"].removeprefix("Value error, ").removeprefix("Input ")


def _names_beside(location: tuple[int | str, ...]) -> list[str]:
    sections: dict[str, type[BaseModel]] = {
        "context": ContextSettings,
        "embedder": EmbedderSettings,
        "limits": LimitSettings,
        "memory": MemorySettings,
        "notifications": NotificationSettings,
        "providers": ProviderSettings,
    }
    if len(location) == 1:
        return list(Settings.model_fields)
    inner: dict[str, type[BaseModel]] = {"timeouts": TimeoutSettings, "retries": RetrySettings}
    section = inner.get(str(location[-2]), sections.get(str(location[0]), Settings))
    if location[:2] == ("context", "models"):
        section = ModelSettings
    return list(section.model_fields)


def _did_you_mean(name: str, known: list[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    return f" Did you mean {close[0]}?" if close else " docs/configuration.md lists them all."
