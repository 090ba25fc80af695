"""A cursor is taken back by the list that gave it, and by no other."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ibex.auth import ALL
from ibex.errors import IbexError
from ibex.ids import uuid7
from ibex.memory.cursors import Cursors
from tests.memory.rest import remembered
from tests.operator import Operator
from tests.rest.api import Api
from tests.service import Service

_LIST = Cursors("memories", uuid7())


@given(st.uuids())
def test_a_cursor_says_where_it_stands(last: object) -> None:
    assert _LIST.position(_LIST.after(last)) == last  # type: ignore[arg-type]
    assert _LIST.position(None) is None


@given(st.uuids(), st.integers(0, 27), st.sampled_from("abcXYZ019-_=+ é"))
def test_a_cursor_that_was_tampered_with_is_refused(last: object, place: int, character: str) -> None:
    cursor = _LIST.after(last)  # type: ignore[arg-type]
    changed = cursor[:place] + character + cursor[place + 1 :]
    if changed != cursor:
        with pytest.raises(IbexError, match="no cursor of this list"):
            _LIST.position(changed)


@given(st.text(max_size=40))
def test_what_is_made_up_is_refused(text: str) -> None:
    with pytest.raises(IbexError, match="no cursor of this list"):
        _LIST.position(text)


async def test_of_another_list_or_organization_or_after_a_slip_it_is_400(
    service: Service, operator: Operator, api: Api
) -> None:
    for number in range(2):
        await remembered(api, f"The number {number} was drawn.")
    page = (await api.call("GET", "/memories", params={"limit": 1})).json()
    cursor = page["pagination"]["next_cursor"]
    assert len(await api.get("/memories", cursor=cursor)) == 1
    elsewhere = await operator.organization("elsewhere")
    async with Api(service, await operator.token(elsewhere, ALL, "helper")) as other:
        for client, path, sent in (
            (api, "/memories", cursor[:-1]),
            (api, "/memories", cursor.swapcase()),
            (api, "/memories", page["data"][0]["id"]),
            (api, "/memories/conflicts", cursor),
            (api, "/memories/quarantine", cursor),
            (other, "/memories", cursor),
        ):
            answer = await client.call("GET", path, params={"cursor": sent})
            error = answer.json()["error"]
            assert (answer.status_code, error["code"], error["param"]) == (400, "VALIDATION_ERROR", "cursor")
            assert "next_cursor" in error["message"]


async def test_a_page_goes_on_where_it_was_when_its_last_memory_is_erased(api: Api) -> None:
    for number in range(3):
        await remembered(api, f"The number {number} was drawn.")
    page = (await api.call("GET", "/memories", params={"limit": 2})).json()
    await api.call("DELETE", f"/memories/{page['data'][1]['id']}", params={"hard": True})
    rest = await api.get("/memories", cursor=page["pagination"]["next_cursor"])
    assert [memory["content"] for memory in rest] == ["The number 2 was drawn."]
