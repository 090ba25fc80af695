"""Fixtures that start a stub provider."""

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from .stub import StubProvider
from .threaded import ThreadedStub


@pytest_asyncio.fixture
async def stub_provider() -> AsyncIterator[StubProvider]:
    """A stub provider on the test's own loop."""
    async with StubProvider() as stub:
        yield stub


@pytest.fixture
def threaded_stub() -> Iterator[ThreadedStub]:
    """A stub provider on a thread of its own, for tests that block."""
    with StubProvider.run_in_thread() as stub:
        yield stub
