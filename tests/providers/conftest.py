"""The stub provider's own tests use its fixtures too."""

from .fixtures import stub_provider, threaded_stub

__all__ = ["stub_provider", "threaded_stub"]
