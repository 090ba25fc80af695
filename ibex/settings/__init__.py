"""Typed settings, from the environment or a TOML file."""

from ibex.settings.loading import SettingsError, load
from ibex.settings.schema import (
    LimitSettings,
    ProviderSettings,
    RetrySettings,
    Settings,
    TimeoutSettings,
)

__all__ = [
    "LimitSettings",
    "ProviderSettings",
    "RetrySettings",
    "Settings",
    "SettingsError",
    "TimeoutSettings",
    "load",
]
