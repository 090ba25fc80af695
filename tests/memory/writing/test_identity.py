"""When two memories are the same one."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ibex.memory.memory import NewMemory, Provenance, Scope
from ibex.memory.writing.identity import content_hash, normalized
from ibex.memory.writing.validation import validated

_NOW = datetime(2026, 3, 1, tzinfo=UTC)
_SCOPE = Scope(uuid4(), uuid4(), "ada")
_SESSION = replace(_SCOPE, session_id="s1")


def _hash(content: str = "I like tea", scope: Scope = _SCOPE, **fields: Any) -> bytes:
    return content_hash(validated(scope, NewMemory(content, **fields), _NOW), scope.session_id)


@pytest.mark.parametrize(
    "text",
    ["I LIKE TEA", " I  like\n\ttea ", "\N{FULLWIDTH LATIN CAPITAL LETTER I} like tea", "I like\u00a0tea"],
)
def test_case_width_and_white_space_do_not_matter(text: str) -> None:
    assert _hash(text) == _hash()


@pytest.mark.parametrize("text", ["I like tee", "I like tea.", "Ilike tea"])
def test_letters_and_marks_do(text: str) -> None:
    assert _hash(text) != _hash()


@given(st.text())
def test_what_is_normalised_stays_as_it_is(text: str) -> None:
    assert normalized(normalized(text)) == normalized(text)


def test_of_a_statement_neither_time_nor_kind_nor_session_matters() -> None:
    assert _hash(observed_at=_NOW - timedelta(days=9)) == _hash()
    assert _hash(kind="preference", tags=("a",), pinned=True) == _hash()
    assert _hash(scope=_SESSION, kind="factual") == _hash()


def test_a_statement_of_another_stretch_of_time_is_another() -> None:
    since = _NOW.astimezone(timezone(timedelta(hours=3)))
    bounds: list[dict[str, Any]] = [{}, {"valid_from": _NOW}, {"valid_until": _NOW}]

    assert len({_hash(**each) for each in bounds}) == 3
    assert _hash(valid_from=since) == _hash(valid_from=_NOW)


def test_what_only_a_session_sees_is_its_own() -> None:
    hashes = {
        _hash(scope=replace(_SCOPE, session_id=session), kind="factual", visibility="session")
        for session in ("s1", "s2")
    }

    assert len(hashes | {_hash()}) == 3


def test_a_turn_is_told_by_its_session_time_speaker_and_id() -> None:
    turns: list[tuple[Scope, dict[str, Any]]] = [
        (_SESSION, {}),
        (replace(_SCOPE, session_id="s2"), {}),
        (_SESSION, {"observed_at": _NOW}),
        (_SESSION, {"observed_at": _NOW - timedelta(seconds=1)}),
        (_SESSION, {"observed_at": _NOW, "provenance": Provenance(speaker="Bob")}),
        (_SESSION, {"provenance": Provenance(turn_id=uuid4())}),
    ]

    assert len({_hash(scope=scope, **fields) for scope, fields in turns}) == len(turns)
    assert _hash(scope=_SESSION) == _hash(" i like TEA", scope=_SESSION)
