"""A memory's life, seen at each point of it: by id, in the list and by a search."""

from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from tests.memory.rest import found, remembered
from tests.rest.api import Api

_QUESTION = "meeting room floor"


@dataclass(frozen=True)
class Moment:
    """A point in a life, and what was known then: the text and the status, None when nothing was."""

    at: datetime
    text: str | None
    status: str | None

    @property
    def is_live(self) -> bool:
        return self.status == "active"


class Life:
    """Does one thing after the other to a memory, and notes what is true after each."""

    def __init__(self, api: Api, memory_id: str) -> None:
        self.path = f"/memories/{memory_id}"
        self.moments: list[Moment] = []
        self._api = api

    async def note(self) -> None:
        """Between two changes, by the clock of the database, which is this machine's."""
        shown = await self._api.get(self.path)
        self.moments.append(Moment(datetime.now(UTC), shown["content"], shown["status"]))


async def seen_by_id(api: Api, life: Life, at: str) -> tuple[str | None, str | None]:
    answer = await api.call("GET", life.path, params={"as_of": at})
    if answer.status_code == 403:
        return None, None
    data = answer.json()["data"]
    return data["content"], data["status"]


async def check(api: Api, life: Life) -> None:
    for moment in life.moments:
        at = moment.at.isoformat()
        assert await seen_by_id(api, life, at) == (moment.text, moment.status), moment
        live = [moment.text] if moment.is_live else []
        assert [each["content"] for each in await api.get("/memories", as_of=at)] == live, moment
        assert await found(api, _QUESTION, as_of=at) == live, moment


async def test_every_stage_stays_as_it_was(api: Api) -> None:
    before = datetime.now(UTC)
    memory = await remembered(api, "The meeting room is on floor two.")
    life = Life(api, memory["id"])
    life.moments.append(Moment(before, None, None))
    await life.note()
    await api.change(life.path, {"content": "The meeting room is on floor three."})
    await life.note()
    await api.do(f"{life.path}/archive")
    await life.note()
    await api.do(f"{life.path}/unarchive")
    await life.note()
    await api.do(f"{life.path}/revert", {"version": 1})
    await life.note()
    await api.do(f"{life.path}/pin")
    await life.note()
    assert [(moment.text, moment.status) for moment in life.moments] == [
        (None, None),
        ("The meeting room is on floor two.", "active"),
        ("The meeting room is on floor three.", "active"),
        ("The meeting room is on floor three.", "archived"),
        ("The meeting room is on floor three.", "active"),
        ("The meeting room is on floor two.", "active"),
        ("The meeting room is on floor two.", "active"),
    ]
    await check(api, life)

    # What is deleted is gone from the past too, and comes back with all of it.
    await api.delete(life.path)
    for moment in life.moments:
        at = moment.at.isoformat()
        assert await seen_by_id(api, life, at) == (None, None)
        assert await api.get("/memories", as_of=at) == []
        assert await found(api, _QUESTION, as_of=at) == []
    await api.do(f"{life.path}/restore")
    await check(api, life)


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        ("2025-12-31T00:00:00Z", []),
        ("2026-01-01T00:00:00Z", ["Ada lives in Lyon."]),
        ("2026-01-31T23:59:59Z", ["Ada lives in Lyon."]),
        ("2026-02-01T00:00:00Z", ["Ada lives in Oslo."]),
        ("2026-03-31T00:00:00Z", ["Ada lives in Oslo."]),
        ("2026-04-01T00:00:00Z", ["Ada lives in Rome."]),
    ],
)
async def test_of_a_chain_the_one_is_seen_that_held(api: Api, at: str, expected: list[str]) -> None:
    # The last one that arrives belongs into the middle.
    for city, since in (("Lyon", "2026-01-01"), ("Rome", "2026-04-01"), ("Oslo", "2026-02-01")):
        await remembered(api, f"Ada lives in {city}.", user_id="ada", observed_at=f"{since}T00:00:00Z")
    assert [each["content"] for each in await api.get("/memories", as_of=at)] == expected
    assert await found(api, "where does Ada live?", user_id="ada", as_of=at) == expected


async def test_what_was_not_said_yet_was_not_known(api: Api) -> None:
    memory = await remembered(api, "The office closes at six.", observed_at="2026-03-01T10:00:00Z")
    life = Life(api, memory["id"])
    assert await seen_by_id(api, life, "2026-03-01T09:59:59Z") == (None, None)
    assert await seen_by_id(api, life, "2026-03-01T10:00:00Z") == ("The office closes at six.", "active")
    assert await api.get("/memories", as_of="2026-03-01T09:59:59Z") == []
