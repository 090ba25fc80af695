"""The first stage: what may be a memory at all, and what is meant where nothing is said."""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar, get_args

from ibex.auth.names import invalid
from ibex.memory.memory import KINDS, Kind, Label, NewMemory, Provenance, Scope, Visibility
from ibex.memory.writing.metadata import checked_metadata

Choice = TypeVar("Choice", bound=str)

_VISIBILITIES: tuple[Visibility, ...] = get_args(Visibility)

# Some twenty-five thousand tokens: longer than any turn of a conversation, and short enough to be read for
# secrets in a fraction of a second.
_CONTENT = 100_000
_TAGS, _TAG = 32, 64
_LABELS, _LABEL = 16, 64
_USER, _SESSION = 256, 64
_ROLE, _SPEAKER, _TRACE = 64, 200, 64

# Line breaks and tabs are text; what else is below the space, NUL above all, and halves of surrogate pairs
# are not, and the latter cannot be stored.
_NOT_TEXT = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
_NOT_IN_A_LINE = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")

# Nothing that an agent remembers was seen before; letters of another century are content, not observations.
_EARLIEST = datetime(1900, 1, 1, tzinfo=UTC)
# Clocks are wrong, and conversations that are made up for a trial run ahead of them.
_AHEAD = timedelta(days=366)
# A day within what a date can be, so that every time zone can express it.
_FIRST, _LAST = datetime(1, 1, 2, tzinfo=UTC), datetime(9999, 12, 30, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class CheckedMemory:
    """A memory that may be stored as far as its form goes; nothing is left open but what the text says.

    `has_time` is whether somebody has said when it was observed; `is_turn` whether it is what was said in a
    conversation, word for word. A turn is a record: what is said later never takes its place.
    """

    content: str = field(repr=False)
    kind: Kind
    labels: Sequence[Label]
    confidence: float
    observed_at: datetime
    has_time: bool
    valid_from: datetime | None
    valid_until: datetime | None
    visibility: Visibility
    tags: Sequence[str]
    pinned: bool
    metadata: Mapping[str, Any] = field(repr=False)
    provenance: Provenance
    is_turn: bool


def check_scope(scope: Scope) -> None:
    """Raises VALIDATION_ERROR when an end user or a session has a name that cannot be one."""
    if scope.user_id is not None:
        _line("user_id", scope.user_id, _USER)
    if scope.session_id is not None:
        _line("session_id", scope.session_id, _SESSION)


def validated(scope: Scope, new: NewMemory, now: datetime) -> CheckedMemory:
    """Raises VALIDATION_ERROR for the first field that cannot be accepted.

    Without a kind, it is a turn when it is of a session; else the surest label that is a kind, else a fact.
    """
    visibility = _one_of("visibility", new.visibility, _VISIBILITIES)
    if visibility == "session" and scope.session_id is None:
        raise invalid("session_id", "A memory that only its session sees needs a `session_id`.")
    labels = _labels(new.labels)
    kind = _kind(new.kind, labels, scope)
    valid_from, valid_until = _interval(new.valid_from, new.valid_until)
    metadata = checked_metadata(new.metadata)
    return CheckedMemory(
        content=_content(new.content),
        kind=kind,
        labels=labels,
        confidence=1.0 if new.confidence is None else _fraction("confidence", new.confidence),
        observed_at=_observed_at(new.observed_at, now),
        has_time=new.observed_at is not None,
        valid_from=valid_from,
        valid_until=valid_until,
        visibility=visibility,
        tags=_tags(new.tags),
        pinned=new.pinned,
        metadata=metadata,
        provenance=_provenance(new.provenance, metadata),
        is_turn=kind == "episodic" and scope.session_id is not None,
    )


def _content(text: str) -> str:
    if len(text) > _CONTENT:
        raise invalid(
            "content", f"A memory has {_CONTENT:,} characters at most, not {len(text):,}; split it."
        )
    found = _NOT_TEXT.search(text)
    if found:
        raise invalid(
            "content",
            f"The character U+{ord(found[0]):04X} at position {found.start()} is not text; leave it out.",
        )
    if not any(unicodedata.category(character)[0] not in "ZC" for character in text):
        raise invalid("content", "A memory has at least one character that can be seen.")
    return text


def _kind(kind: str | None, labels: Sequence[Label], scope: Scope) -> Kind:
    if kind is not None:
        return _one_of("kind", kind, KINDS)
    for label in sorted(labels, key=lambda each: -each.confidence):
        for known in KINDS:
            if label.name == known:
                return known
    return "factual" if scope.session_id is None else "episodic"


def _labels(labels: Sequence[Label]) -> tuple[Label, ...]:
    if len(labels) > _LABELS:
        raise invalid("labels", f"A memory has {_LABELS} labels at most, not {len(labels):,}.")
    checked = tuple(
        Label(_line("labels", label.name, _LABEL), _fraction("labels", label.confidence)) for label in labels
    )
    if len({label.name for label in checked}) < len(checked):
        raise invalid("labels", "A label is given once.")
    return checked


def _tags(tags: Sequence[str]) -> tuple[str, ...]:
    """In their order, each once."""
    if len(tags) > _TAGS:
        raise invalid("tags", f"A memory has {_TAGS} tags at most, not {len(tags):,}.")
    return tuple(dict.fromkeys(_line("tags", tag, _TAG) for tag in tags))


def _observed_at(moment: datetime | None, now: datetime) -> datetime:
    if moment is None:
        return now
    moment = _aware(moment)
    if not _EARLIEST <= moment <= now + _AHEAD:
        raise invalid(
            "observed_at", "It was observed between 1900 and now; a year ahead of the clock is let pass."
        )
    return moment


def _interval(start: datetime | None, end: datetime | None) -> tuple[datetime | None, datetime | None]:
    start, end = start and _aware(start), end and _aware(end)
    for name, moment in (("valid_from", start), ("valid_until", end)):
        if moment is not None and not _FIRST <= moment <= _LAST:
            raise invalid(name, "It lies between the years 1 and 9999; leave it out for an open end.")
    if start is not None and end is not None and start >= end:
        raise invalid("valid_until", "It is later than `valid_from`.")
    return start, end


def _provenance(provenance: Provenance, metadata: Mapping[str, Any]) -> Provenance:
    """Who said it may be told in the metadata too, where there is no field for it."""
    role = provenance.role if provenance.role is not None else _told(metadata, "role", _ROLE)
    speaker = provenance.speaker if provenance.speaker is not None else _told(metadata, "speaker", _SPEAKER)
    return replace(
        provenance,
        role=_optional_line("role", role, _ROLE),
        speaker=_optional_line("speaker", speaker, _SPEAKER),
        trace_id=_optional_line("trace_id", provenance.trace_id, _TRACE),
    )


def _told(metadata: Mapping[str, Any], name: str, most: int) -> str | None:
    told = metadata.get(name)
    if isinstance(told, str) and told.strip() and not _NOT_IN_A_LINE.search(told):
        return told.strip()[:most]
    return None


def _optional_line(name: str, text: str | None, most: int) -> str | None:
    return None if text is None else _line(name, text, most)


def _line(name: str, text: str, most: int) -> str:
    text = unicodedata.normalize("NFC", text).strip()
    if not 1 <= len(text) <= most or _NOT_IN_A_LINE.search(text):
        raise invalid(name, f"`{name}` takes 1 to {most} characters, none of them a control character.")
    return text


def _fraction(name: str, number: float) -> float:
    # Not a number is not in between either.
    if not 0 <= number <= 1:
        raise invalid(name, "A confidence lies between 0 and 1.")
    return number


def _one_of(name: str, value: str, known: Sequence[Choice]) -> Choice:
    for choice in known:
        if value == choice:
            return choice
    raise invalid(name, f"`{name}` is one of {', '.join(known)}.")


def _aware(moment: datetime) -> datetime:
    """Without a time zone it is UTC."""
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
