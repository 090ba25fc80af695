"""Nothing is ever found from outside the scope, and nothing within it is missed."""

from dataclasses import dataclass
from uuid import UUID

import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ibex.memory.memory import Scope
from ibex.memory.searching import MemorySearch, SearchQuery, SearchSettings
from tests.memory.searching.embedding import BagOfWords
from tests.memory.searching.storing import Stored, store
from tests.operator import Operator

USERS = (None, "ada", "bob")
SESSIONS = (None, "s1", "s2")
# The writer refuses a private memory without a session to see it.
PLACES = [
    (organization, agent, user, session, visibility)
    for organization in (0, 1)
    for agent in (0, 1)
    for user in USERS
    for session in SESSIONS
    for visibility in ("agent", "org", "session")
    if session or visibility != "session"
]
SCOPES = [
    (organization, agent, user, session)
    for organization in (0, 1)
    for agent in (0, 1)
    for user in USERS
    for session in SESSIONS
]

Place = tuple[int, int, str | None, str | None, str]


@dataclass(frozen=True, slots=True)
class World:
    """Two organizations of two agents each, and a search that remembers what it has indexed."""

    operator: Operator
    organizations: list[UUID]
    agents: list[list[UUID]]
    search: MemorySearch
    embedder: BagOfWords
    stored: list[tuple[Place, Stored]]

    async def add(self, place: Place) -> None:
        organization, agent, user, session, visibility = place
        text = f"canary {len(self.stored)} of {organization} {agent} {user} {session} {visibility}"
        memory = Stored(
            text,
            self.agents[organization][agent],
            user,
            session,
            visibility,
            vector=self.embedder.vector(text) if len(self.stored) % 2 else None,
        )
        await store(self.operator.postgres, self.organizations[organization], memory)
        self.stored.append((place, memory))


@pytest_asyncio.fixture(params=[SearchSettings(), SearchSettings(exact_up_to=0)], ids=["exact", "large"])
async def world(operator: Operator, request: pytest.FixtureRequest, embedder: BagOfWords) -> World:
    organizations, agents = [], []
    for slug in ("acme", "other"):
        org_id = await operator.organization(slug)
        second = await operator.create_agent(org_id, "Second", "second")
        organizations.append(org_id)
        agents.append([(await operator.agent(org_id)).id, second.id])
    search = MemorySearch(operator.postgres, embedder, request.param)
    return World(operator, organizations, agents, search, embedder, [])


def is_visible(place: Place, scope: tuple[int, int, str | None, str | None]) -> bool:
    organization, agent, user, session, visibility = place
    return (
        organization == scope[0]
        and (agent == scope[1] or visibility == "org")
        and user in {None, scope[2]}
        and (visibility != "session" or session == scope[3])
    )


@given(data=st.data())
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_a_search_finds_what_its_scope_sees_and_nothing_else(world: World, data: st.DataObject) -> None:
    for place in data.draw(st.lists(st.sampled_from(PLACES), min_size=1, max_size=6)):
        await world.add(place)
    asked = data.draw(st.sampled_from(SCOPES))
    scope = Scope(world.organizations[asked[0]], world.agents[asked[0]][asked[1]], *asked[2:])
    answer = await world.search.search(scope, SearchQuery("canary", limit=1_000))
    found = {result.memory.id for result in answer.results}
    assert found == {memory.id for place, memory in world.stored if is_visible(place, asked)}
