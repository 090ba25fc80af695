"""The installation's secret: made once, kept, and never silently another."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ibex.auth import PepperError, load_pepper, verify_pepper
from tests.operator import PEPPER, Operator


def test_the_first_start_makes_one_and_later_ones_use_it(tmp_path: Path) -> None:
    pepper = load_pepper(tmp_path, None)
    assert len(pepper) == 64
    assert load_pepper(tmp_path, None) == pepper
    file = tmp_path / "secrets" / "token-pepper"
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o777 == 0o700


def test_starts_at_the_same_time_end_up_with_the_same_one(tmp_path: Path) -> None:
    start = threading.Barrier(8)

    def load() -> bytes:
        start.wait()
        return load_pepper(tmp_path, None)

    with ThreadPoolExecutor(8) as pool:
        assert len({future.result() for future in [pool.submit(load) for _ in range(8)]}) == 1


def test_a_configured_one_wins_and_is_not_written_down(tmp_path: Path) -> None:
    assert load_pepper(tmp_path, "x" * 32) == b"x" * 32
    assert not (tmp_path / "secrets").exists()


def test_a_short_one_is_refused_without_being_told(tmp_path: Path) -> None:
    with pytest.raises(PepperError) as caught:
        load_pepper(tmp_path, "hunter2")
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"short", b"\xff" * 64])
def test_a_damaged_file_is_refused_and_left_alone(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "secrets" / "token-pepper"
    file.parent.mkdir()
    file.write_bytes(content)
    with pytest.raises(PepperError, match="token-pepper"):
        load_pepper(tmp_path, None)
    assert file.read_bytes() == content


async def test_a_database_keeps_to_the_pepper_it_saw_first(operator: Operator) -> None:
    await verify_pepper(operator.postgres, PEPPER)
    await verify_pepper(operator.postgres, PEPPER)
    with pytest.raises(PepperError, match="IBEX_TOKEN_PEPPER"):
        await verify_pepper(operator.postgres, PEPPER + b"!")
    async with operator.postgres.transaction(None) as connection:
        stored = await (await connection.execute("SELECT value FROM ibex.installation")).fetchall()
    assert len(stored) == 1
    assert PEPPER.decode() not in stored[0][0]
