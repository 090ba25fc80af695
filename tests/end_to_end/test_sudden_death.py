"""`kill -9` of the supervisor: nothing stays behind, and the next start goes on as if nothing had been."""

from pathlib import Path

from tests.embedded.running import is_gone, wait_for
from tests.end_to_end.conftest import Launch
from tests.end_to_end.streams import streaming
from tests.providers.threaded import ThreadedStub


def test_nothing_is_left_after_five_seconds_and_the_next_start_is_clean(
    launch: Launch, data_dir: Path
) -> None:
    instance = launch("--workers", "2", data_dir=data_dir).wait_ready()
    assert instance.ibex("agent", "create", "Kept").returncode == 0
    tree = instance.tree()
    instance.kill()
    # At once, while the old processes may still be on their way out.
    again = launch(data_dir=data_dir, port=instance.port)
    wait_for(lambda: all(is_gone(pid) for pid in tree), seconds=5)
    again.wait_ready()
    assert "kept" in again.ibex("agent", "list").stdout
    with again.openai() as client:
        assert client.models.list().data
    assert again.stop() == 0


def test_a_stream_in_flight_does_not_keep_anything_alive(
    launch: Launch, data_dir: Path, threaded_stub: ThreadedStub
) -> None:
    extra = {"OPENAI_BASE_URL": threaded_stub.base_url}
    instance = launch("--workers", "2", data_dir=data_dir, extra=extra).wait_ready()
    tree = instance.tree()
    threaded_stub.step(3)
    with streaming(instance, "slow") as stream:
        stream.event()
        instance.kill()
        again = launch(data_dir=data_dir, port=instance.port, extra=extra)
        wait_for(lambda: all(is_gone(pid) for pid in tree), seconds=5)
    again.wait_ready()
    assert again.is_ready()


def test_the_commands_do_not_mistake_what_is_left_for_a_running_instance(
    launch: Launch, data_dir: Path
) -> None:
    instance = launch(data_dir=data_dir).wait_ready()
    tree = instance.tree()
    instance.kill()
    wait_for(lambda: all(is_gone(pid) for pid in tree), seconds=5)
    assert (data_dir / "runtime.json").exists()
    listed = instance.ibex("agent", "list")
    assert listed.returncode == 0, listed.stderr
    assert "default" in listed.stdout
