"""The map of permissions: its bits, its names, and what it means to hold some of them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ibex.auth import (
    ALL,
    CHAT,
    NO_PERMISSION,
    Permission,
    Principal,
    UnknownPermissionError,
    parse_permissions,
    permission_labels,
)
from ibex.errors import ErrorCode, IbexError
from ibex.ids import uuid7

# Section 4 of the design.
BITS = {
    "memory:read": 0,
    "memory:write": 1,
    "memory:delete": 2,
    "memory:export": 3,
    "directive:read": 8,
    "directive:write": 9,
    "directive:promote": 10,
    "directive:revoke": 11,
    "session:create": 16,
    "session:read": 17,
    "session:terminate": 18,
    "trace:read": 24,
    "trace:export": 25,
    "admin:users": 32,
    "billing:read": 33,
    "billing:manage": 34,
    "organization:settings": 35,
    "token:create": 36,
    "token:revoke": 37,
}

SETS = st.sets(st.sampled_from(list(Permission))).map(lambda bits: Permission(sum(bits)))


def principal(permissions: Permission) -> Principal:
    return Principal(uuid7(), uuid7(), uuid7(), "helper", permissions)


def test_every_bit_is_where_the_contract_has_it() -> None:
    assert {bit.label: bit.bit_length() - 1 for bit in Permission} == BITS


def test_the_reserved_bits_are_free() -> None:
    assert int(ALL) >> 56 == 0


def test_a_chat_needs_what_the_contract_says() -> None:
    assert permission_labels(CHAT) == ["memory:read", "session:create", "session:read"]


@given(SETS)
def test_names_and_bits_translate_into_each_other(permissions: Permission) -> None:
    assert parse_permissions(permission_labels(permissions)) == permissions


@given(st.lists(st.sampled_from([*BITS, "chat", "all"])))
def test_names_add_up_in_any_order_and_number(labels: list[str]) -> None:
    once = parse_permissions(labels)
    assert once == parse_permissions(reversed(labels)) == parse_permissions(labels * 2)
    assert once in ALL


@given(st.text().filter(lambda label: label not in {*BITS, "chat", "all"}))
def test_any_other_name_is_refused(label: str) -> None:
    with pytest.raises(UnknownPermissionError, match="There is no permission"):
        parse_permissions(["memory:read", label])


@given(SETS, SETS)
def test_what_is_required_must_be_held_bit_by_bit(held: Permission, needed: Permission) -> None:
    caller = principal(held)
    if needed & held == needed:
        caller.require(needed)
        return
    with pytest.raises(IbexError) as caught:
        caller.require(needed)
    assert caught.value.code is ErrorCode.INSUFFICIENT_PERMISSIONS
    assert caught.value.status == 403
    missing = ", ".join(permission_labels(needed & ~held))
    assert caught.value.detail == f"Missing: {missing}."


@given(SETS, SETS)
def test_bits_that_nobody_knows_grant_nothing(held: Permission, needed: Permission) -> None:
    unknown = Permission(int(held) | 1 << 60 | 1 << 5)
    missing = needed & ~held
    if missing:
        with pytest.raises(IbexError):
            principal(unknown).require(needed)
    else:
        principal(unknown).require(needed)


def test_nothing_is_required_of_nobody() -> None:
    principal(NO_PERMISSION).require(NO_PERMISSION)
