"""What an assault comes to, in a table."""

from tests.faults.killing.assault import Outcome


def table(outcome: Outcome) -> str:
    told, stored = outcome.told, outcome.stored
    lost = outcome.in_doubt - set(stored.turns)
    rows = [
        ("killed", ", ".join(f"{name} {count}" for name, count in sorted(outcome.killed.items()))),
        ("calls answered, and refused or broken", f"{len(told.answered):,}, {told.refused:,}"),
        ("acknowledged traces that are missing", f"{len(outcome.must_be_there - set(stored.turns)):,}"),
        ("of them missing in the store of traces", f"{len(outcome.must_be_there - set(stored.traces)):,}"),
        ("traces that are there twice", f"{sum(count > 1 for count in stored.traces.values()):,}"),
        ("calls in the counters of the day less turns", f"{stored.counted - stored.turns.total():,}"),
        (
            "answered when a web process died, before Redis had the trace; of them lost",
            f"{len(outcome.in_doubt):,}, {len(lost):,}",
        ),
        ("events of acknowledged writes", f"{len(told.quarantined):,}"),
        ("of them not delivered", f"{len(told.quarantined - set(outcome.delivered)):,}"),
        ("delivered under two ids", f"{sum(count > 1 for count in outcome.delivered.values()):,}"),
        ("dead letters", ", ".join(stored.dead) or "none"),
        ("jobs and traces that wait, after", f"{stored.waiting:,}, {outcome.settled_after:.0f} s"),
    ]
    return "\n".join(["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows)])
