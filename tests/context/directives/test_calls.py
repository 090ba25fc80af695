"""What the provider is sent, from the request of an official client on."""

import itertools
from collections.abc import AsyncIterator, Mapping
from typing import Any

import orjson
import pytest
import pytest_asyncio
from openai import PermissionDeniedError

from ibex.auth import CHAT, Permission
from tests.context.directives.desk import Desk
from tests.faults.waiting import until
from tests.operator import Operator
from tests.providers.stub import StubProvider
from tests.service import Service


@pytest_asyncio.fixture
async def desk(service: Service, operator: Operator) -> Desk:
    """The agent that the service's token is bound to."""
    return await Desk.of(operator, service.org_id)


@pytest_asyncio.fixture
async def fronts(service: Service, stub_provider: StubProvider) -> AsyncIterator["Fronts"]:
    async with service.openai() as client:
        yield Fronts(client, stub_provider)


class Fronts:
    """Asks in a session, and looks at what came before the user's message at the provider."""

    def __init__(self, client: Any, stub: StubProvider) -> None:
        self._client = client
        self._stub = stub

    async def of(self, session: str, headers: Mapping[str, str] | None = None) -> str:
        await self._client.chat.completions.create(
            model="gpt-4o-mini",
            messages=[{"role": "user", "content": "Hello!"}],
            extra_headers={"X-IBEX-Session-ID": session, **(headers or {})},
        )
        messages = orjson.loads(self._stub.requests[-1].body)["messages"]
        return "\n".join(str(each["content"]) for each in messages if each["role"] != "user")


async def test_the_directive_stands_at_the_front_of_every_call(desk: Desk, fronts: Fronts) -> None:
    assert "tea" not in await fronts.of("chat-1")
    text = "You sell tea. {name} <b>&amp;</b> %s 🦌"
    await desk.active(text)

    async def has_it() -> bool:
        return (await fronts.of("chat-1")).startswith(text)

    await until(has_it)
    assert (await fronts.of("chat-2")).startswith(text)


async def test_a_running_session_leaves_a_version_that_is_revoked(desk: Desk, fronts: Fronts) -> None:
    await desk.active("The first.")
    second = await desk.active("The second.", at_once=True)
    assert "The second." in await fronts.of("chat-1")
    await desk.directives.revoke(desk.actor, second.id)

    async def has_left() -> bool:
        return "The first." in await fronts.of("chat-1")

    await until(has_left, seconds=5.0)


async def test_sessions_keep_what_they_have_while_a_version_is_rolled_out(desk: Desk, fronts: Fronts) -> None:
    await desk.active("The first.")
    candidate = await desk.rolled_out("The second.", 0.5)
    sessions = [f"chat-{number}" for number in range(16)]
    before = {session: await fronts.of(session) for session in sessions}
    assert {front.partition("\n")[0] for front in before.values()} == {"The first.", "The second."}
    await desk.directives.promote(desk.actor, candidate.id)

    numbers = itertools.count()

    async def is_finished() -> bool:
        """Eight that begin have the second: before, the draw would have to fall on it eight times."""
        return {"The second."} == {(await fronts.of(f"later-{next(numbers)}"))[:11] for _ in range(8)}

    await until(is_finished)
    assert {session: await fronts.of(session) for session in sessions} == before


async def test_a_draft_is_tried_in_one_call_by_whoever_may_read_it(
    service: Service, operator: Operator, stub_provider: StubProvider, desk: Desk, fronts: Fronts
) -> None:
    await desk.active("The first.")
    await desk.written("The second.", submit=False)
    header = {"X-IBEX-Directive-Override": "2"}
    with pytest.raises(PermissionDeniedError):
        await fronts.of("chat-1", header)
    token = await operator.token(service.org_id, CHAT | Permission.DIRECTIVE_READ)
    async with service.openai(api_key=token) as reader:
        allowed = Fronts(reader, stub_provider)
        assert "The second." in await allowed.of("chat-1", header)
        assert "The first." in await allowed.of("chat-1")
