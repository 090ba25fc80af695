"""The built-in provider: answers in either dialect, in process, without a key, the same every time."""

from ibex.proxy.providers.mock.provider import MockProvider

__all__ = ["MockProvider"]
