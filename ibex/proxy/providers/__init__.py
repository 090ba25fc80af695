"""Providers: where answers come from."""

from collections.abc import Mapping

from ibex.errors import Dialect
from ibex.proxy.providers.anthropic import ANTHROPIC_VERSION, AnthropicProvider
from ibex.proxy.providers.base import Provider
from ibex.proxy.providers.breaker import CircuitBreaker
from ibex.proxy.providers.calling import Upstream
from ibex.proxy.providers.mock import MockProvider
from ibex.proxy.providers.openai import OpenAIProvider
from ibex.proxy.providers.retry import RetryPolicy
from ibex.settings import ProviderSettings

__all__ = ["ANTHROPIC_VERSION", "Provider", "Upstream", "build_upstreams"]

# A shorter header, `true` say, is no secret, and taking it out of messages would mutilate them.
_SHORTEST_SECRET = 8
_DIALECTS: Mapping[str, tuple[Dialect, ...]] = {
    "openai": ("openai",),
    "anthropic": ("anthropic",),
    "mock": ("openai", "anthropic"),
}


def build_upstreams(settings: Mapping[str, ProviderSettings], user_agent: str) -> dict[str, Upstream]:
    """The configured providers by name, each with its timeouts, retries and circuit breaker."""
    return {name: _upstream(name, provider, user_agent) for name, provider in settings.items()}


def _upstream(name: str, settings: ProviderSettings, user_agent: str) -> Upstream:
    return Upstream(
        name=name,
        provider=_provider(name, settings, user_agent),
        timeouts=settings.timeouts,
        retries=RetryPolicy.of(settings.retries),
        breaker=CircuitBreaker(),
        secrets=_secrets(settings),
        takes_keys=settings.kind != "mock",
        dialects=_DIALECTS[settings.kind],
    )


def _provider(name: str, settings: ProviderSettings, user_agent: str) -> Provider:
    if settings.kind == "mock":
        return MockProvider(name)
    kind = AnthropicProvider if settings.kind == "anthropic" else OpenAIProvider
    return kind(settings, user_agent)


def _secrets(settings: ProviderSettings) -> tuple[str, ...]:
    """What no client may be shown: the key, and the configured headers, which may carry another."""
    key = (settings.api_key.get_secret_value(),) if settings.api_key else ()
    return (*key, *(value for value in settings.headers.values() if len(value) >= _SHORTEST_SECRET))
