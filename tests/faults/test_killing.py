"""Processes are killed under load. `python -m benchmarks.faults` does it for a minute."""

from pathlib import Path

from tests.faults.killing import assault


async def test_what_was_acknowledged_is_there_once(tmp_path: Path) -> None:
    """Turns in PostgreSQL, traces in ClickHouse, events at a webhook."""
    outcome = await assault(tmp_path, 8.0, 2, with_clickhouse=True, with_poison=False)

    stored = outcome.stored
    assert outcome.killed.total() > 4
    assert len(outcome.must_be_there) > 50
    assert outcome.must_be_there <= set(stored.turns)
    assert set(stored.turns) == set(stored.traces)
    assert set(stored.traces.values()) == {1}
    assert stored.counted == stored.turns.total()
    assert outcome.told.quarantined <= set(outcome.delivered)
    assert set(outcome.delivered.values()) == {1}
    assert stored.dead == []
