"""Agents that are not there: what a token may cost by naming them, and that it harms nobody else."""

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID

import httpx2
import pytest
import pytest_asyncio
from hypothesis import given
from hypothesis import strategies as st

from ibex.auth import Change
from ibex.auth.validation.guesses import AgentGuesses
from ibex.errors import ErrorCode, IbexError
from ibex.ids import uuid7
from ibex.storage import DatabaseUnavailableError
from tests.auth.validators import Checked, Clock, checking
from tests.fixtures import Database
from tests.operator import Operator
from tests.service import Service

# So many at once, and then so many a minute.
MOST = 60


@pytest_asyncio.fixture
async def checked(database: Database) -> AsyncIterator[Checked]:
    async with checking(database) as running:
        yield running


@pytest_asyncio.fixture
async def org_id(operator: Operator) -> UUID:
    return await operator.organization()


async def codes(checked: Checked, text: str, names: list[str]) -> list[str]:
    return [await checked.code(text, name) for name in names]


def made_up(count: int) -> list[str]:
    """Ids and slugs, and what can be neither."""
    kinds = (lambda: str(uuid7()), lambda: f"guess-{uuid7()}", lambda: f"Guess {uuid7()}")
    return [kinds[number % 3]() for number in range(count)]


REFUSED, STOPPED = ErrorCode.AGENT_NOT_AUTHORIZED, ErrorCode.RATE_LIMITED


async def test_one_guess_after_another_is_stopped_without_a_look_up(
    checked: Checked, operator: Operator, org_id: UUID
) -> None:
    text = await operator.token(org_id, agent=None)
    assert await codes(checked, text, made_up(500)) == [REFUSED] * MOST + [STOPPED] * (500 - MOST)
    assert checked.statements == MOST


async def test_guesses_at_the_same_time_are_stopped_too(
    checked: Checked, operator: Operator, org_id: UUID
) -> None:
    text = await operator.token(org_id, agent=None)
    names = [f"guess-{number}" for number in range(500)]
    answers = await asyncio.gather(*(checked.code(text, name) for name in names))
    assert sorted(answers) == sorted([REFUSED] * MOST + [STOPPED] * (500 - MOST))
    assert checked.statements == MOST


async def test_who_is_stopped_is_told_when_to_come_back_and_may_then_ask_once_a_second(
    checked: Checked, operator: Operator, org_id: UUID
) -> None:
    text = await operator.token(org_id, agent=None)
    await codes(checked, text, made_up(MOST))
    with pytest.raises(IbexError) as caught:
        await checked.validator.authenticate_agent(text, "guess", None)
    error = caught.value
    assert (error.code, error.status, error.headers) == (STOPPED, 429, {"Retry-After": "1"})
    checked.clock.now += 1.0
    assert await codes(checked, text, made_up(2)) == [REFUSED, STOPPED]
    checked.clock.now += 30.0
    assert await codes(checked, text, made_up(31)) == [REFUSED] * 30 + [STOPPED]
    checked.clock.now += 3_600.0
    assert await codes(checked, text, made_up(MOST + 1)) == [REFUSED] * MOST + [STOPPED]


async def test_agents_that_are_known_go_on_for_a_token_that_is_stopped(
    checked: Checked, operator: Operator, org_id: UUID
) -> None:
    """Also once they have to be looked up again."""
    await operator.create_agent(org_id, "Late", "late")
    helper = await operator.agent(org_id)
    text = (await operator.issue(org_id, agent=None, default_agent_id=helper.id)).text
    assert await checked.code(text, "helper") == "helper"
    await codes(checked, text, made_up(MOST))
    for _ in range(3):
        assert await codes(checked, text, ["guess", "helper", "late"]) == [STOPPED, "helper", STOPPED]
    assert await checked.code(text) == "helper"
    assert (await checked.validator.authenticate(text, None)).org_id == org_id
    checked.feed[0] = False
    checked.clock.now += 0.6
    before = checked.statements
    assert await codes(checked, text, ["guess", "helper", "late"]) == [STOPPED, "helper", STOPPED]
    assert checked.statements == before + 1
    checked.clock.now += 0.4
    assert await checked.code(text, "late") == "late"


async def test_without_a_cache_an_agent_is_known_all_the_same(
    database: Database, operator: Operator, org_id: UUID
) -> None:
    text = await operator.token(org_id, agent=None)
    async with checking(database, cache_seconds=0.0) as checked:
        await checked.code(text, "helper")
        await codes(checked, text, made_up(MOST))
        assert await codes(checked, text, ["guess", "helper"]) == [STOPPED, "helper"]


async def test_each_token_guesses_for_itself(checked: Checked, operator: Operator, org_id: UUID) -> None:
    one, other = [await operator.token(org_id, agent=None) for _ in range(2)]
    await codes(checked, one, made_up(MOST))
    assert await checked.code(one, "helper") == STOPPED
    assert await codes(checked, other, ["guess", "helper"]) == [REFUSED, "helper"]


@pytest.mark.parametrize("is_bound", [True, False])
async def test_what_is_there_costs_nothing_however_often_it_is_named(
    checked: Checked, operator: Operator, org_id: UUID, is_bound: bool
) -> None:
    """Be it refused or not."""
    text = await operator.token(org_id, agent="helper" if is_bound else None)
    helper = await operator.agent(org_id)
    await operator.create_agent(org_id, "Other", "other")
    for _ in range(2 * MOST):
        await codes(checked, text, ["helper", "other"])
        checked.validator.forget(Change("agent", helper.id))
    assert len(checked.validator._guesses) == 0


async def test_guesses_of_a_revoked_token_are_stopped_as_well(
    checked: Checked, operator: Operator, org_id: UUID
) -> None:
    text = await operator.token(org_id, agent=None)
    await operator.revoke(org_id, text)
    assert await codes(checked, text, made_up(100)) == [ErrorCode.TOKEN_REVOKED] * MOST + [STOPPED] * 40
    assert await checked.code(text) == ErrorCode.TOKEN_REVOKED


async def test_a_database_that_is_away_uses_up_nothing(
    checked: Checked, operator: Operator, org_id: UUID
) -> None:
    text = await operator.token(org_id, agent=None)

    async def away() -> None:
        raise DatabaseUnavailableError

    checked.postgres.before = away
    assert set(await codes(checked, text, made_up(2 * MOST))) == {ErrorCode.AUTH_UNAVAILABLE}
    checked.postgres.before = None
    assert await checked.code(text, "helper") == "helper"
    assert len(checked.validator._guesses) == 0


async def test_over_http_it_is_an_error_that_says_when_to_try_again(
    database: Database, operator: Operator
) -> None:
    async with Service.start(database.service_dsn, database.redis_url, operator, None) as service:
        text = await operator.token(service.org_id, agent=None)
        headers = {"Authorization": f"Bearer {text}"}
        async with httpx2.AsyncClient(base_url=service.url, headers=headers, timeout=20.0) as client:
            for number in range(2 * MOST):
                answer = await client.get("/v1/models", headers={"X-IBEX-Agent-ID": f"guess-{number}"})
                if answer.status_code != 403:
                    break
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["param"]) == (429, STOPPED, "X-IBEX-Agent-ID")
    assert answer.headers["retry-after"] == "1"
    assert "agents that are not there" in error["message"]


def test_only_the_newest_tokens_are_remembered_and_none_that_need_not_be() -> None:
    clock = Clock()
    guesses = AgentGuesses(5, clock)
    first, *others = [uuid7() for _ in range(100)]
    guesses.take(first)
    for token_id in others:
        guesses.take(token_id)
    assert len(guesses) == 5
    guesses.give_back(first)
    guesses.give_back(others[-1])
    assert len(guesses) == 4


@given(st.lists(st.sampled_from(["take", "give back"]) | st.floats(0.0, 90.0), max_size=300))
def test_never_more_than_what_a_minute_allows_besides_the_first(steps: list[str | float]) -> None:
    """Against a bucket that is filled evenly."""
    clock, token_id = Clock(), uuid7()
    guesses, left = AgentGuesses(5, clock), float(MOST)
    for step in steps:
        if isinstance(step, float):
            clock.now += step
            left = min(float(MOST), left + step)
        elif step == "give back":
            guesses.give_back(token_id)
            left = min(float(MOST), left + 1.0)
        elif abs(left - 1.0) > 1e-6:
            try:
                guesses.take(token_id)
                assert left > 1.0
                left -= 1.0
            except IbexError:
                assert left < 1.0
