"""What may be a memory."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ibex.errors import ErrorCode, IbexError
from ibex.memory.memory import Label, NewMemory, Provenance, Scope
from ibex.memory.writing.validation import check_scope, validated

_NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
_SCOPE = Scope(uuid4(), uuid4(), "ada")
_SESSION = Scope(uuid4(), uuid4(), "ada", "s1")


def _refused(scope: Scope = _SCOPE, content: str = "I like tea", **fields: Any) -> str:
    """The field that an answer names."""
    with pytest.raises(IbexError) as refusal:
        validated(scope, NewMemory(content, **fields), _NOW)
    assert refusal.value.code is ErrorCode.VALIDATION_ERROR
    assert refusal.value.param is not None
    assert [each.field for each in refusal.value.field_errors] == [refusal.value.param]
    return refusal.value.param


@pytest.mark.parametrize(
    "content",
    [
        "",
        " \n\t",
        "\u200b\u200e",
        "a\0b",
        "\x1b[31mred",
        "\x89PNG\r\n",
        "half \ud83c",
        "x" * 100_001,
        "x" * (1 << 20),
    ],
)
def test_a_text_that_cannot_be_kept_is_refused(content: str) -> None:
    assert _refused(content=content) == "content"


@pytest.mark.parametrize(
    "content", ["x", "🎉", "👩‍👩‍👧", "שלום עולם", "\u202eright to left", "a\r\n\tb", "é" * 100_000, "٣"]
)
def test_any_other_text_is_kept_as_it_is(content: str) -> None:
    assert validated(_SCOPE, NewMemory(content), _NOW).content == content


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("kind", "fact"),
        ("kind", ""),
        ("visibility", "everybody"),
        ("confidence", -0.1),
        ("confidence", 1.1),
        ("confidence", float("nan")),
        ("labels", [Label("a", 0.5), Label("a", 0.6)]),
        ("labels", [Label("a", 2.0)]),
        ("labels", [Label("a\n", 1.0), Label("a", 0.6)]),
        ("labels", [Label("", 1.0)]),
        ("labels", [Label(str(number), 1.0) for number in range(17)]),
        ("tags", [str(number) for number in range(33)]),
        ("tags", ["x"] * 10_000),
        ("tags", ["x" * 65]),
        ("tags", [" "]),
        ("tags", ["a\0b"]),
        ("metadata", {"x": "y" * 16_384}),
        ("metadata", {"x": {"y": ["a\0b"]}}),
        ("metadata", {"a\0": 1}),
        ("metadata", {"x": float("inf")}),
        ("metadata", {"x": "\ud83c"}),
        ("metadata", {"x": 1 << 70}),
        ("metadata", {"x": object()}),
        ("observed_at", datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=14)))),
        ("observed_at", datetime(1899, 12, 31, tzinfo=UTC)),
        ("observed_at", _NOW + timedelta(days=400)),
        ("observed_at", datetime.max.replace(tzinfo=timezone(-timedelta(hours=12)))),
        ("valid_from", datetime.min.replace(tzinfo=UTC)),
        ("valid_until", datetime.max.replace(tzinfo=UTC)),
        ("provenance", Provenance(speaker="x" * 201)),
        ("provenance", Provenance(role="a\nb")),
        ("provenance", Provenance(trace_id="x" * 65)),
    ],
)
def test_a_field_that_cannot_be_kept_is_named(field: str, value: Any) -> None:
    named = _refused(**{field: value})

    assert named == field or (field == "provenance" and named in ("speaker", "role", "trace_id"))


def test_deep_metadata_is_refused_and_not_an_accident() -> None:
    deep: dict[str, Any] = {}
    for _ in range(2_000):
        deep = {"x": deep}

    assert _refused(metadata=deep) == "metadata"


@pytest.mark.parametrize(("start", "end"), [(2, 1), (1, 1)])
def test_an_interval_ends_after_it_starts(start: int, end: int) -> None:
    moments: dict[str, Any] = {
        "valid_from": _NOW + timedelta(days=start),
        "valid_until": _NOW + timedelta(days=end),
    }

    assert _refused(**moments) == "valid_until"


def test_a_time_without_a_zone_is_utc() -> None:
    naive = _NOW.replace(tzinfo=None)

    checked = validated(_SCOPE, NewMemory("x", observed_at=naive, valid_from=naive), _NOW)

    assert checked.observed_at == checked.valid_from == _NOW


def test_only_a_session_can_keep_something_to_itself() -> None:
    assert _refused(visibility="session") == "session_id"
    assert validated(_SESSION, NewMemory("x", visibility="session"), _NOW).visibility == "session"


@pytest.mark.parametrize(
    "scope",
    [
        Scope(uuid4(), uuid4(), ""),
        Scope(uuid4(), uuid4(), "a\0"),
        Scope(uuid4(), uuid4(), "x" * 257),
        Scope(uuid4(), uuid4(), "ada", "x" * 65),
    ],
)
def test_names_of_users_and_sessions_are_checked(scope: Scope) -> None:
    with pytest.raises(IbexError) as refusal:
        check_scope(scope)

    assert refusal.value.param in ("user_id", "session_id")


@pytest.mark.parametrize(
    ("scope", "fields", "kind", "is_turn"),
    [
        (_SCOPE, {}, "factual", False),
        (_SESSION, {}, "episodic", True),
        (_SESSION, {"kind": "factual"}, "factual", False),
        (_SCOPE, {"kind": "episodic"}, "episodic", False),
        (_SCOPE, {"labels": [Label("preference", 0.4), Label("procedural", 0.7)]}, "procedural", False),
        (_SCOPE, {"labels": [Label("garden", 0.9), Label("preference", 0.4)]}, "preference", False),
    ],
)
def test_the_kind_is_chosen_when_none_is_given(
    scope: Scope, fields: dict[str, Any], kind: str, is_turn: bool
) -> None:
    checked = validated(scope, NewMemory("x", **fields), _NOW)

    assert (checked.kind, checked.is_turn) == (kind, is_turn)


@pytest.mark.parametrize(
    ("told", "speaker"), [("Ada", "Ada"), (" Ada ", "Ada"), (7, None), ("", None), ("a\nb", None)]
)
def test_the_speaker_may_be_told_in_the_metadata(told: object, speaker: str | None) -> None:
    checked = validated(_SESSION, NewMemory("x", metadata={"speaker": told}), _NOW)

    assert checked.provenance.speaker == speaker


def test_so_may_the_role_which_says_who_spoke_when_there_is_no_name() -> None:
    nameless = validated(_SESSION, NewMemory("x", metadata={"role": "assistant"}), _NOW).provenance
    named = replace(nameless, speaker="Ada")

    assert (nameless.role, nameless.voice, named.voice) == ("assistant", "assistant", "Ada")


@given(st.text())
def test_every_text_is_kept_or_refused_by_name(text: str) -> None:
    new = NewMemory(text, tags=(text[:40],), metadata={text: text})
    try:
        kept = validated(_SESSION, new, _NOW).content
    except IbexError as error:
        named = error.param
    else:
        named = None if kept == text and kept.encode().replace(b"\0", b"") == text.encode() else "changed"

    assert named in ("content", "tags", "metadata", None)
