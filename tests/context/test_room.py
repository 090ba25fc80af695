"""How much room a call leaves for memories."""

from uuid import uuid4

import pytest

from ibex.auth import CHAT, AgentPrincipal
from ibex.context.conversation import OpenAIConversation
from ibex.context.models import ModelCatalogue
from ibex.context.room import Room, Rooms
from ibex.context.tokens import TokenCounter
from ibex.context.turn import ChatTurn
from ibex.errors import ErrorCode, IbexError
from ibex.settings import ModelSettings
from tests.vocabulary import vocabulary

SMALL = ModelSettings(context_window=4_000, family="o200k")
LARGE = ModelSettings(context_window=40_000, family="o200k")


async def room(*models: str, words: int) -> Room:
    catalogue = ModelCatalogue.of_package({"small": SMALL, "large": LARGE})
    rooms = Rooms(catalogue, TokenCounter(catalogue, vocabulary()))
    fields = {"messages": [{"role": "user", "content": "tea " * words}]}
    request_id = uuid4()
    turn = ChatTurn(
        request_id=request_id,
        trace_id=request_id.hex,
        principal=AgentPrincipal(
            org_id=uuid4(), token_id=uuid4(), permissions=CHAT, agent_id=uuid4(), agent_slug="helper"
        ),
        dialect="openai",
        models=models,
        fields=fields,
        session_id="monday",
        names_session=True,
        user_id="ada",
    )
    return await rooms.of(turn, OpenAIConversation(fields), besides=20, most=1_000)


async def test_a_short_conversation_is_not_counted() -> None:
    found = await room("large", words=10)

    assert not found.is_exact
    assert found.budget.memories == 1_000


async def test_a_long_one_is_and_memories_get_what_is_left() -> None:
    found = await room("small", words=2_500)

    assert found.is_exact
    assert found.budget.memories == found.budget.window - found.budget.reserve - found.budget.margin - 20 - (
        found.messages
    )


async def test_one_that_is_longer_than_the_window_is_refused() -> None:
    with pytest.raises(IbexError) as refused:
        await room("small", words=5_000)

    assert refused.value.code is ErrorCode.CONTEXT_LENGTH_EXCEEDED


async def test_a_fallback_with_a_smaller_window_refuses_nothing_that_the_first_model_takes() -> None:
    found = await room("large", "small", words=5_000)

    assert found.budget.memories == 0
