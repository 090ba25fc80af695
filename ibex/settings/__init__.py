"""Typed settings, from the environment or a TOML file."""

from ibex.settings.loading import SettingsError, load
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
    TokenFamily,
)

__all__ = [
    "ContextSettings",
    "EmbedderSettings",
    "LimitSettings",
    "MemorySettings",
    "ModelSettings",
    "NotificationSettings",
    "ProviderSettings",
    "RetrySettings",
    "Settings",
    "SettingsError",
    "TimeoutSettings",
    "TokenFamily",
    "load",
]
