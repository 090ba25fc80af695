"""`ibex worker`: job processes alone."""

import signal
import subprocess
import sys
from pathlib import Path

from tests.end_to_end.conftest import Launch


def test_it_works_for_a_running_ibex_and_stops_when_told(launch: Launch, data_dir: Path) -> None:
    running = launch("--jobs", "0", data_dir=data_dir).wait_ready()
    worker = subprocess.Popen(
        [sys.executable, "-m", "ibex", "worker", "--data-dir", str(running.data_dir)],
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )
    with worker:
        assert worker.stderr is not None
        said = iter(worker.stderr.readline, "")
        assert any("The worker is ready." in line for line in said)
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(20) == 0


def test_without_an_ibex_it_says_what_to_do(tmp_path: Path) -> None:
    told = subprocess.run(
        [sys.executable, "-m", "ibex", "worker", "--data-dir", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 1
    assert "No IBEX runs on this data directory." in told.stderr
    assert not list(tmp_path.iterdir())
