"""Traces on their way are bytes that say by themselves what they are."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ibex.ids import uuid7
from ibex.traces.packing import UnreadableError, pack, unpack
from tests.traces.calls import trace

ORG, AGENT = uuid7(), uuid7()
NAMES = st.text(st.characters(exclude_categories=["Cs"]))


@given(model=NAMES, user_id=st.none() | NAMES, tools=st.lists(NAMES), ms=st.floats(0, 1e9))
def test_what_is_packed_is_unpacked(model: str, user_id: str | None, tools: list[str], ms: float) -> None:
    one = trace(ORG, AGENT, model=model, user_id=user_id, tools=tuple(tools), latency_ms=ms)
    other = trace(ORG, AGENT, session_id=None, directive_id=None, memory_ids=(), first_byte_ms=None)
    assert unpack(pack([one, other])) == [one, other]


def test_a_field_that_only_a_newer_version_knows_is_passed_over() -> None:
    told = trace(ORG, AGENT)
    batch = orjson.loads(pack([told]))
    batch["fields"].append("mood")
    batch["traces"][0].append("good")
    assert unpack(orjson.dumps(batch)) == [told]


@given(
    st.binary() | st.builds(orjson.dumps, st.recursive(st.none() | st.text() | st.integers(0, 9), st.lists))
)
def test_anything_else_is_unreadable(packed: bytes) -> None:
    with pytest.raises(UnreadableError):
        unpack(packed)


def test_a_trace_that_lacks_something_is_unreadable() -> None:
    batch = orjson.loads(pack([trace(ORG, AGENT)]))
    for rows in ([["too few"]], [[None] * len(batch["fields"])], [7], 7, None):
        with pytest.raises(UnreadableError):
            unpack(orjson.dumps({**batch, "traces": rows}))
