"""Tokens by the hundred thousand that are none: the database hears of none, and memory stays flat."""

import asyncio
import gc
import tracemalloc
from contextlib import suppress
from uuid import UUID

import pytest
import pytest_asyncio
from hypothesis import given
from hypothesis import strategies as st

from ibex.auth import TokenValidator
from ibex.auth.tokens.secret import LENGTH, Token, generate
from ibex.errors import ErrorCode, IbexError
from ibex.ids import uuid7
from tests.auth.validators import checking
from tests.fixtures import Database
from tests.operator import PEPPER, Operator

ELSEWHERE = b"the pepper of another installation, which is not ours"


@pytest_asyncio.fixture
async def org_id(operator: Operator) -> UUID:
    return await operator.organization()


async def test_a_hundred_thousand_made_up_tokens_reach_no_database_and_take_no_memory(
    database: Database, operator: Operator, org_id: UUID
) -> None:
    """Half of them carry the id of a token that exists, as whoever has seen a log might send."""
    issued = await operator.issue(org_id)
    async with checking(database) as checked:
        assert await checked.code(issued.text) == "helper"
        before = checked.statements

        async def flood(count: int) -> None:
            for number in range(count):
                made_up = generate(issued.record.id if number % 2 else uuid7()).text(ELSEWHERE)
                assert await checked.code(made_up) == ErrorCode.INVALID_TOKEN

        await flood(94_000)
        # Tracing makes everything several times slower, so only the last few thousand are traced.
        gc.collect()
        tracemalloc.start()
        try:
            await flood(1_000)
            gc.collect()
            small, _ = tracemalloc.get_traced_memory()
            await flood(5_000)
            gc.collect()
            large, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert checked.statements == before
        assert not checked.validator._unknown
        assert len(checked.validator._judgements) == 1
        assert checked.refused == []
        # Five thousand digests that were kept would take more than 500 kB.
        assert large - small < 128 << 10
        assert await checked.code(issued.text) == "helper"
        assert checked.statements == before


async def test_a_token_of_another_installation_causes_no_query(
    database: Database, operator: Operator, org_id: UUID
) -> None:
    text = await operator.token(org_id)
    async with checking(database, pepper=ELSEWHERE) as elsewhere:
        assert await elsewhere.code(text) == ErrorCode.INVALID_TOKEN
        assert elsewhere.statements == 0


class NoRows:
    """A database that knows no token, and does not tell how many were looked up."""

    async def fetch_one(self, *arguments: object, **options: object) -> None:
        await asyncio.sleep(0)


async def test_ten_thousand_tokens_that_are_gone_leave_memory_flat() -> None:
    """Their checksum is right, as that of tokens whose organization was erased."""
    validator = _validator(NoRows(), capacity=500)

    async def refuse(token: Token) -> None:
        with suppress(IbexError):
            await validator.authenticate_agent(token.text(PEPPER), None, None)

    async def flood(count: int) -> None:
        for _ in range(count // 50):
            await asyncio.gather(*(refuse(generate(uuid7())) for _ in range(50)))

    await flood(1_000)
    gc.collect()
    tracemalloc.start()
    try:
        await flood(1_000)
        gc.collect()
        before, _ = tracemalloc.get_traced_memory()
        await flood(8_000)
        gc.collect()
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(validator._unknown) == 500
    assert len(validator._judgements._running) == 0
    # Eight thousand digests that were kept would take more than 800 kB.
    assert after - before < 400 << 10


class NoDatabase:
    """A database that must not be asked."""

    async def fetch_one(self, *arguments: object, **options: object) -> None:
        pytest.fail("a malformed token must not reach the database")


# With halves of surrogate pairs, which hypothesis leaves out by itself.
ANYTHING = st.characters(exclude_categories=())


@given(st.text(max_size=120) | st.text(ANYTHING, min_size=LENGTH, max_size=LENGTH))
def test_random_text_causes_no_query(text: str) -> None:
    validator = _validator(NoDatabase())
    with pytest.raises(IbexError) as caught:
        asyncio.run(validator.authenticate_agent(text, None, None))
    assert caught.value.code is ErrorCode.INVALID_TOKEN
    assert not validator._unknown


def _validator(database: object, capacity: int = 10_000) -> TokenValidator:
    return TokenValidator(
        database,  # type: ignore[arg-type]
        PEPPER,
        cache_seconds=30,
        timeout=5,
        feed_is_live=lambda: True,
        capacity=capacity,
    )
