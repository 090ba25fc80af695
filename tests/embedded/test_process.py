import signal
import time
from pathlib import Path

import pytest

from ibex.embedded import EmbeddedError, process
from ibex.embedded.account import server_account
from ibex.embedded.log import ServerLog
from ibex.embedded.process import ServerProcess, spawn

from .children import waiting_child
from .running import is_gone, wait_for


def _stubborn(log: ServerLog, *, ignored: str) -> ServerProcess:
    with log.opened() as output:
        popen = spawn(
            ["/bin/sh", "-c", f"trap '' {ignored}; echo ready; while :; do read line </dev/zero; done"],
            account=server_account(),
            death_signal=signal.SIGKILL,
            output_to=output,
        )
    server = ServerProcess("It", popen, log, shutdown=signal.SIGINT, abort=signal.SIGQUIT)
    server.wait_until(lambda: "ready" in log.tail(), deadline=time.monotonic() + 5)
    return server


@pytest.mark.parametrize(("ignored", "end"), [("INT", signal.SIGQUIT), ("INT QUIT", signal.SIGKILL)])
def test_a_server_that_does_not_shut_down_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ignored: str, end: signal.Signals
) -> None:
    monkeypatch.setattr(process, "_IMMEDIATE_SECONDS", 0.1)
    server = _stubborn(ServerLog(tmp_path / "logs" / "server.log"), ignored=ignored)
    server.stop(timeout=0.1)
    assert server.poll() == -end


def test_a_command_that_cannot_be_run_is_named(tmp_path: Path) -> None:
    with (
        ServerLog(tmp_path / "logs" / "server.log").opened() as output,
        pytest.raises(EmbeddedError, match="Cannot run /no/such/server"),
    ):
        spawn(["/no/such/server"], account=server_account(), death_signal=signal.SIGKILL, output_to=output)


def test_the_death_signal_survives_the_change_of_user(tmp_path: Path) -> None:
    log = ServerLog(tmp_path / "logs" / "server.log")
    with waiting_child(lambda: _stubborn(log, ignored="INT").pid) as launcher:
        launcher.kill()
        wait_for(lambda: is_gone(launcher.result))
