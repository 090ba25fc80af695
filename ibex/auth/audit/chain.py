"""How events are chained, computed from what is stored and without the database that stored it.

Every event carries the SHA-256 of the hash before it and of its own fields, so that one that is altered,
taken out, put in or moved breaks the chain at its number.
"""

from dataclasses import dataclass
from hashlib import sha256
from typing import Self


class MalformedHeadError(ValueError):
    """A text that is no head; the message says what one looks like."""


@dataclass(frozen=True, slots=True)
class Head:
    """Where a chain ends: the number of its last event, and that event's hash in hexadecimal digits.

    Who has noted it can prove later that everything up to it is unchanged.
    """

    number: int
    hash: str

    @classmethod
    def before_the_first(cls, org_id: str) -> Self:
        """The end of a chain without events."""
        return cls(0, sha256(org_id.encode()).hexdigest())

    @classmethod
    def parse(cls, text: str) -> Self:
        """The head in `<number>:<hash>`. Raises `MalformedHeadError`."""
        number, _, digits = text.strip().partition(":")
        is_hash = len(digits) == 64 and set(digits) <= set("0123456789abcdef")
        if not (number.isascii() and number.isdigit() and len(number) <= 19 and is_hash):
            raise MalformedHeadError(
                f"`{text[:100]}` is not a head: that is a number, a colon and 64 hexadecimal digits."
            )
        return cls(int(number), digits)

    def __str__(self) -> str:
        return f"{self.number}:{self.hash}"


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """An event as it is stored, every field in the spelling that is hashed; hashes in hexadecimal digits."""

    number: int
    org_id: str
    id: str
    at: str
    actor: str
    action: str
    target: str | None
    outcome: str
    request_id: str | None
    address: str | None
    detail: str
    previous_hash: str
    hash: str

    @property
    def text(self) -> str:
        """What is hashed: each field as `<length in bytes>:<text>`, an absent one as `-`."""
        return ",".join(
            "-" if field is None else f"{len(field.encode())}:{field}"
            for field in (
                self.org_id,
                str(self.number),
                self.id,
                self.at,
                self.actor,
                self.action,
                self.target,
                self.outcome,
                self.request_id,
                self.address,
                self.detail,
            )
        )

    @property
    def is_unaltered(self) -> bool:
        """Whether its fields give its hash."""
        try:
            previous = bytes.fromhex(self.previous_hash)
            return (
                previous.hex() == self.previous_hash
                and sha256(previous + self.text.encode()).hexdigest() == self.hash
            )
        except ValueError:
            # Digits that are none, or halves of surrogate pairs: nothing that was ever hashed.
            return False


@dataclass(frozen=True, slots=True)
class Damage:
    """The first number at which a chain is broken, and why."""

    number: int
    reason: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a walk along a chain has found: how many intact events, up to where, and what ended it."""

    org_id: str
    count: int
    head: Head
    damage: Damage | None


class ChainWalk:
    """Follows a chain from its beginning, one event after the other, in constant memory.

    Parameters
    ----------
    noted: a head that was noted earlier and must be part of the chain.
    is_partial: some events are left out; the others are checked by themselves, and in their order.
    """

    def __init__(self, org_id: str, noted: Head | None = None, *, is_partial: bool = False) -> None:
        self.head = Head.before_the_first(org_id)
        self._org_id = org_id
        self._count = 0
        self._noted = noted
        self._has_met_noted = noted == self.head
        self._is_partial = is_partial

    def follow(self, event: StoredEvent) -> Damage | None:
        """Take the next event; after damage the walk is over."""
        damage = self._damage_of(event) or self._difference_from_noted(event)
        if damage is None:
            self.head = Head(event.number, event.hash)
            self._count += 1
        return damage

    def end(self, damage: Damage | None = None) -> Verdict:
        """The verdict, once there are no more events or one of them was damaged."""
        if damage is None and self._noted is not None and not self._has_met_noted:
            last, noted = self.head.number, self._noted.number
            damage = Damage(min(last + 1, noted), f"it is missing: the head that was noted is number {noted}")
        return Verdict(self._org_id, self._count, self.head, damage)

    def _damage_of(self, event: StoredEvent) -> Damage | None:
        before, number = self.head, event.number
        is_next = number == before.number + 1
        if event.org_id != self._org_id:
            return Damage(number, "it belongs to another organization")
        if number <= before.number:
            return Damage(number, "it is there twice, or out of order")
        if not is_next and not self._is_partial:
            return Damage(before.number + 1, "it is missing")
        if not event.is_unaltered:
            return Damage(number, "it was altered: its fields do not give its hash")
        if is_next and event.previous_hash != before.hash:
            if number == 1:
                return Damage(1, "it does not begin a chain of this organization")
            return Damage(before.number, f"it was replaced: number {number} follows another event")
        return None

    def _difference_from_noted(self, event: StoredEvent) -> Damage | None:
        if self._noted is None or event.number != self._noted.number:
            return None
        self._has_met_noted = True
        if event.hash == self._noted.hash:
            return None
        return Damage(
            event.number, "its hash is not the one that was noted: it or one before it was replaced"
        )
