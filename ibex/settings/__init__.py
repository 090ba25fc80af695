"""Typed settings, from the environment or a TOML file."""

from ibex.settings.loading import SettingsError, load
from ibex.settings.schema import (
    EmbedderSettings,
    LimitSettings,
    MemorySettings,
    ProviderSettings,
    RetrySettings,
    Settings,
    TimeoutSettings,
)

__all__ = [
    "EmbedderSettings",
    "LimitSettings",
    "MemorySettings",
    "ProviderSettings",
    "RetrySettings",
    "Settings",
    "SettingsError",
    "TimeoutSettings",
    "load",
]
