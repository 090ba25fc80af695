from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.instance import Instance, free_port


@pytest.fixture(scope="package")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    """IBEX as a reader has it: started in a folder, with its data in `.ibex` there."""
    folder: Path = tmp_path_factory.mktemp("reader")
    extra = {"IBEX_GRPC_PORT": str(free_port())}
    running = Instance(folder, data_dir=folder / ".ibex", extra=extra)
    try:
        yield running.wait_ready()
    finally:
        assert running.stop() == 0
