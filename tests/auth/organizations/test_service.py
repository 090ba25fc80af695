"""What is done to organizations as a whole."""

import pytest

from ibex.errors import ErrorCode, IbexError
from ibex.ids import uuid7
from tests.operator import Operator


async def test_a_slug_that_is_taken_is_refused(operator: Operator) -> None:
    await operator.organization("acme")
    with pytest.raises(IbexError, match="already") as caught:
        await operator.administration.organizations.create("test", "Acme", "acme")
    assert (caught.value.code, caught.value.param) == (ErrorCode.CONFLICT, "slug")


async def test_one_is_found_by_its_slug(operator: Operator) -> None:
    org_id = await operator.organization("acme")
    assert await operator.administration.organizations.find_by_slug("acme") == org_id
    assert await operator.administration.organizations.find_by_slug("globex") is None


async def test_one_that_is_not_there_is_denied(operator: Operator) -> None:
    with pytest.raises(IbexError) as caught:
        await operator.administration.organizations.get(uuid7())
    assert caught.value.code is ErrorCode.ACCESS_DENIED


@pytest.mark.parametrize("name", ["", " ", "x" * 201, "a\x00b", "\ud800"])
async def test_a_malformed_name_is_refused(operator: Operator, name: str) -> None:
    with pytest.raises(IbexError) as caught:
        await operator.administration.organizations.create("test", name, "acme")
    assert (caught.value.code, caught.value.param) == (ErrorCode.VALIDATION_ERROR, "name")
