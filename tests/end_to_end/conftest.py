from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.end_to_end.instance import Instance, copy_data_dir
from tests.providers.stub import StubProvider
from tests.providers.threaded import ThreadedStub

Launch = Callable[..., Instance]


@pytest.fixture(scope="session")
def used_data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory that IBEX has run on and left in order; not to be changed."""
    instance = Instance(tmp_path_factory.mktemp("used"))
    try:
        instance.wait_ready()
    finally:
        assert instance.stop() == 0
    return instance.data_dir


@pytest.fixture
def data_dir(used_data_dir: Path, tmp_path: Path) -> Path:
    """A warm data directory of the test's own."""
    return copy_data_dir(used_data_dir, tmp_path / "data")


@pytest.fixture
def launch(tmp_path: Path) -> Iterator[Launch]:
    """Starts instances that are stopped at the end; on a fresh data directory unless one is given."""
    launched: list[Instance] = []

    def start(*arguments: str, name: str = "ibex", **options: object) -> Instance:
        instance = Instance(tmp_path / name / str(len(launched)), *arguments, **options)  # type: ignore[arg-type]
        launched.append(instance)
        return instance

    yield start
    for instance in launched:
        instance.stop()


@pytest.fixture(scope="module")
def stub() -> Iterator[ThreadedStub]:
    """A provider for all tests of a module."""
    with StubProvider.run_in_thread() as running:
        yield running


@pytest.fixture(scope="module")
def shared(
    used_data_dir: Path, stub: ThreadedStub, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Instance]:
    """One instance for all tests of a module: `mock*` models are built in, `stub-*` come from the stub."""
    folder = tmp_path_factory.mktemp("shared")
    (folder / "ibex.toml").write_text(
        f"""
        limits.token_rpm = 60

        [providers.mock]
        kind = "mock"
        models = ["mock*", "text-embedding-*"]

        [providers.stub]
        base_url = "{stub.base_url}"
        api_key = "sk-upstream-0123456789"
        models = ["stub-*"]
        retries = {{ attempts = 0 }}
        """
    )
    instance = Instance(folder, "--workers", "2", data_dir=copy_data_dir(used_data_dir, folder / "data"))
    try:
        yield instance.wait_ready()
    finally:
        assert instance.stop() == 0
