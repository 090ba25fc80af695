"""Who gets a version that is being rolled out."""

from dataclasses import replace
from datetime import UTC, datetime
from math import sqrt
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from ibex.context.directives import Directive
from ibex.context.directives.rollout import InUse, mark, position

IDS = st.uuids()
SESSIONS = st.text(min_size=1, max_size=64)
SHARES = st.floats(0, 1, exclude_max=True)


def version(
    number: int, status: str, share: float | None = None, directive_id: UUID | None = None
) -> Directive:
    return Directive(
        id=directive_id or UUID(int=number),
        agent_id=UUID(int=99),
        number=number,
        sha256="",
        size=1,
        mode="system_first",
        status=status,  # type: ignore[arg-type]
        share=share,
        kept_until=None,
        is_rolled_back=False,
        change_summary="",
        created_by="test",
        created_at=datetime(2030, 1, 1, tzinfo=UTC),
        offered_at=datetime(2030, 1, 1, tzinfo=UTC),
        activated_at=None,
        ended_at=None,
        revoked_at=None,
        content="x",
    )


def rolling_out(candidate: UUID, share: float) -> InUse:
    return InUse.of([version(1, "active"), version(2, "review", share, candidate)])


def has_candidate(in_use: InUse, session: str) -> bool:
    drawn = in_use.drawn(session)
    assert drawn is not None
    return drawn.number == 2


@given(IDS, SESSIONS, SHARES, SHARES)
def test_as_the_share_grows_no_session_leaves_the_candidate(
    candidate: UUID, session: str, one: float, other: float
) -> None:
    less, more = sorted((one, other))
    if has_candidate(rolling_out(candidate, less), session):
        assert has_candidate(rolling_out(candidate, more), session)


@given(IDS, st.floats(0.01, 0.99), st.text(max_size=8))
def test_the_share_of_sessions_is_close_to_what_was_asked(candidate: UUID, share: float, prefix: str) -> None:
    """Six standard deviations of a fair draw: one in a hundred million examples would be further off."""
    sessions = 2_000
    in_use = rolling_out(candidate, share)
    got = sum(has_candidate(in_use, f"{prefix}{number}") for number in range(sessions))
    assert abs(got - share * sessions) <= 6 * sqrt(sessions * share * (1 - share)) + 1


@given(IDS, SESSIONS)
def test_the_ends_are_exact(candidate: UUID, session: str) -> None:
    assert not has_candidate(rolling_out(candidate, 0.0), session)
    assert 0 <= position(candidate, session) < 1


def test_another_rollout_begins_with_other_sessions() -> None:
    sessions = [str(number) for number in range(1_000)]
    first = {each for each in sessions if has_candidate(rolling_out(UUID(int=5), 0.1), each)}
    second = {each for each in sessions if has_candidate(rolling_out(UUID(int=6), 0.1), each)}
    assert len(first & second) < len(first) / 2


def test_without_an_active_version_the_others_have_none() -> None:
    in_use = InUse.of([version(2, "review", 0.5)])
    drawn = {in_use.drawn(str(number)) for number in range(100)}
    assert drawn == {None, in_use.candidate}


def test_a_session_that_begins_draws_no_version_that_is_only_kept() -> None:
    in_use = InUse.of([version(1, "deprecated"), version(2, "active"), version(3, "review", 0.5)])
    assert {in_use.drawn(str(number)) for number in range(100)} == {in_use.active, in_use.candidate}


def test_it_is_settled_when_all_have_the_same() -> None:
    active, kept, candidate = version(2, "active"), version(1, "deprecated"), version(3, "review", 0.0)
    assert InUse.of([]).is_settled
    assert InUse.of([active]).is_settled
    for unsettled in ([active, kept], [active, candidate], [candidate], [kept]):
        assert not InUse.of(unsettled).is_settled


def test_a_version_that_was_withdrawn_in_between_is_marked_anew() -> None:
    before = version(2, "review", 0.5)
    again = replace(before, offered_at=datetime(2030, 1, 2, tzinfo=UTC))
    assert mark(before) == mark(replace(before, status="active", share=None))
    assert mark(before) != mark(again)
