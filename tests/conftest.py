"""What every test may ask for: the real servers, a database of its own, a running service."""

from tests.fixtures import database, operator, servers, service
from tests.model import model_files
from tests.providers.fixtures import stub_provider, threaded_stub

__all__ = ["database", "model_files", "operator", "servers", "service", "stub_provider", "threaded_stub"]
