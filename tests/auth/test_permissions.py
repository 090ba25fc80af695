"""The map of permissions: its bits, its names, and what it means to hold some of them."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ibex.auth import (
    ALL,
    CHAT,
    EVERYTHING,
    NO_PERMISSION,
    NO_RIGHT,
    Grant,
    Permission,
    PlatformRight,
    Principal,
    UnknownPermissionError,
    parse_grant,
    permission_labels,
)
from ibex.auth.permissions import platform_labels
from ibex.auth.roles import ROLES, Role
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
    return Principal(uuid7(), uuid7(), permissions)


GRANTS = st.builds(
    Grant,
    SETS,
    st.sets(st.sampled_from(list(PlatformRight))).map(lambda rights: PlatformRight(sum(rights))),
)
RIGHTS = {"platform:organizations": 0, "platform:validate": 1}


def test_every_bit_is_where_the_contract_has_it() -> None:
    assert {bit.label: bit.bit_length() - 1 for bit in Permission} == BITS


def test_every_right_over_the_installation_is_where_the_contract_has_it() -> None:
    assert {label: right.bit_length() - 1 for right in PlatformRight for label in platform_labels(right)} == (
        RIGHTS
    )


def test_the_reserved_bits_are_free() -> None:
    assert int(ALL) >> 56 == 0


def test_a_chat_needs_what_the_contract_says() -> None:
    assert permission_labels(CHAT) == ["memory:read", "session:create", "session:read"]


@given(SETS)
def test_names_and_bits_translate_into_each_other(permissions: Permission) -> None:
    assert parse_grant(permission_labels(permissions)) == Grant(permissions)


@given(GRANTS)
def test_a_grant_and_its_names_translate_into_each_other(grant: Grant) -> None:
    assert parse_grant(grant.labels()) == grant


@given(GRANTS, GRANTS)
def test_what_a_grant_has_beyond_another_is_what_the_other_lacks(one: Grant, other: Grant) -> None:
    excess = one.without(other)
    assert set(excess.labels()) == set(one.labels()) - set(other.labels())
    assert bool(excess) == bool(set(one.labels()) - set(other.labels()))


@given(GRANTS, GRANTS, GRANTS)
def test_what_is_passed_on_in_turn_never_grows(one: Grant, other: Grant, third: Grant) -> None:
    """Whoever holds no more than somebody who holds no more than a third holds no more than the third."""
    if not one.without(other) and not other.without(third):
        assert not one.without(third)


@given(GRANTS)
def test_everything_is_beyond_nothing_and_nothing_beyond_everything(grant: Grant) -> None:
    nothing = Grant(NO_PERMISSION)
    assert not nothing
    assert not grant.without(grant)
    assert not grant.without(EVERYTHING)
    assert not nothing.without(grant)
    assert grant.without(nothing) == grant


@given(st.integers(0, (1 << 63) - 1), SETS)
def test_a_bit_that_nobody_knows_is_beyond_every_grant(bits: int, held: Permission) -> None:
    """It may be stored by a newer version; it must not be handed on by an older one as if it were none."""
    asked = Grant(Permission(bits))
    assert bool(asked.without(Grant(held))) == bool(bits & ~int(held))


def test_all_is_no_right_over_the_installation() -> None:
    assert parse_grant(["all"]) == Grant(ALL, NO_RIGHT)


@given(st.sampled_from(list(ROLES)), SETS)
def test_a_role_only_ever_takes_away(role: Role, held: Permission) -> None:
    assert held & ROLES[role] in held
    assert ROLES[role] in ALL


def test_each_role_can_do_what_the_one_below_it_can() -> None:
    order: list[Role] = ["viewer", "member", "admin", "owner"]
    for lower, higher in pairwise(order):
        assert ROLES[lower] in ROLES[higher]
        assert ROLES[lower] != ROLES[higher]


@given(st.lists(st.sampled_from([*BITS, *RIGHTS, "chat", "all"])))
def test_names_add_up_in_any_order_and_number(labels: list[str]) -> None:
    once = parse_grant(labels)
    assert once == parse_grant(reversed(labels)) == parse_grant(labels * 2)
    assert not once.without(EVERYTHING)


@given(st.text().filter(lambda label: label not in {*BITS, *RIGHTS, "chat", "all"}))
def test_any_other_name_is_refused(label: str) -> None:
    with pytest.raises(UnknownPermissionError, match="There is no permission"):
        parse_grant(["memory:read", label])


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
