"""Providers: where answers come from."""

from collections.abc import Mapping

from ibex.proxy.providers.base import Provider
from ibex.proxy.providers.breaker import CircuitBreaker
from ibex.proxy.providers.calling import Upstream
from ibex.proxy.providers.mock import MockProvider
from ibex.proxy.providers.openai import OpenAIProvider
from ibex.proxy.providers.retry import RetryPolicy
from ibex.settings import ProviderSettings

__all__ = ["Provider", "Upstream", "build_upstreams"]


def build_upstreams(settings: Mapping[str, ProviderSettings], user_agent: str) -> dict[str, Upstream]:
    """The configured providers by name, each with its timeouts, retries and circuit breaker."""
    return {name: _upstream(name, provider, user_agent) for name, provider in settings.items()}


def _upstream(name: str, settings: ProviderSettings, user_agent: str) -> Upstream:
    provider: Provider = (
        MockProvider(name) if settings.kind == "mock" else OpenAIProvider(settings, user_agent)
    )
    return Upstream(
        name=name,
        provider=provider,
        timeouts=settings.timeouts,
        retries=RetryPolicy.of(settings.retries),
        breaker=CircuitBreaker(),
        secret=settings.api_key.get_secret_value() if settings.api_key else None,
    )
