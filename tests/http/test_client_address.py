"""Where a request comes from, directly or by way of proxies, some of which are trusted."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ibex.http import ClientAddress, parse_networks

PROXIES = ClientAddress(parse_networks(["10.0.0.0/24", "2001:db8:1::/48"]))
NOBODY = ClientAddress()
PROXY, INNER_PROXY, CLIENT, FORGED = "10.0.0.1", "10.0.0.2", "203.0.113.7", "192.0.2.99"


def seen(addresses: ClientAddress, peer: str | None, *forwarded: str) -> str | None:
    """The address of a client whose request came from `peer` with such lines of `X-Forwarded-For`."""
    headers = [(b"host", b"ibex"), *((b"x-forwarded-for", line.encode("latin-1")) for line in forwarded)]
    scope: dict[str, Any] = {"client": (peer, 50_000) if peer else None, "headers": headers}
    return addresses.of(scope)


def test_it_is_that_of_the_connection() -> None:
    assert seen(NOBODY, CLIENT) == CLIENT
    assert seen(PROXIES, CLIENT) == CLIENT


@pytest.mark.parametrize("addresses", [NOBODY, PROXIES])
@pytest.mark.parametrize("forwarded", [FORGED, f"{FORGED}, {PROXY}", PROXY, "", "nonsense"])
def test_nobody_else_is_believed(addresses: ClientAddress, forwarded: str) -> None:
    assert seen(addresses, CLIENT, forwarded) == CLIENT


def test_a_trusted_proxy_is_believed() -> None:
    assert seen(PROXIES, PROXY, CLIENT) == CLIENT
    assert seen(PROXIES, "::ffff:10.0.0.1", CLIENT) == CLIENT
    assert seen(PROXIES, "2001:db8:1::5", "2001:db8:2::7") == "2001:db8:2::7"


@pytest.mark.parametrize(
    "lines",
    [
        (f"{FORGED}, {CLIENT}",),
        (f"{FORGED},{CLIENT}",),
        (FORGED, CLIENT),
        (f"{FORGED}, {INNER_PROXY}, {CLIENT}",),
        (f"nonsense, , {CLIENT} ,",),
        (f"{FORGED}, {CLIENT}, {INNER_PROXY}",),
        (f"{FORGED}, {CLIENT}", INNER_PROXY),
        (FORGED, CLIENT, INNER_PROXY),
    ],
)
def test_what_the_client_puts_before_it_changes_nothing(lines: tuple[str, ...]) -> None:
    """A proxy may add to the line that it got, or a line of its own."""
    assert seen(PROXIES, PROXY, *lines) == CLIENT


@given(st.lists(st.sampled_from([FORGED, INNER_PROXY, PROXY, "x", ""]), max_size=5), st.booleans())
def test_nothing_that_a_client_can_invent_hides_it(invented: list[str], in_lines: bool) -> None:
    lines = [*invented, CLIENT] if in_lines else [", ".join([*invented, CLIENT])]
    assert seen(PROXIES, PROXY, *lines) == CLIENT


def test_a_proxy_that_tells_nothing_is_taken_for_the_client() -> None:
    assert seen(PROXIES, PROXY) == PROXY
    assert seen(PROXIES, PROXY, "", " , ") == PROXY


@pytest.mark.parametrize("told", ["unknown", "_hidden", "999.1.1.1", "10.0.0.3/24", "é", "x" * 30_000])
def test_what_is_no_address_is_unknown(told: str) -> None:
    """And stands for nobody: behind it could be anybody."""
    assert seen(PROXIES, PROXY, f"{FORGED}, {told}") is None


@pytest.mark.parametrize(
    ("told", "address"),
    [
        (f"{CLIENT}:50505", CLIENT),
        ("[2001:db8::7]:50505", "2001:db8::7"),
        ("[2001:db8::7]", "2001:db8::7"),
        ("2001:DB8:0:0::7", "2001:db8::7"),
        ("::ffff:203.0.113.7", CLIENT),
        ("fe80::1%eth0", "fe80::1"),
    ],
)
def test_an_address_has_one_spelling(told: str, address: str) -> None:
    assert seen(PROXIES, PROXY, told) == address


@pytest.mark.parametrize("addresses", [NOBODY, PROXIES])
def test_a_connection_without_an_address_has_none(addresses: ClientAddress) -> None:
    assert seen(addresses, None, CLIENT) is None
    assert seen(addresses, "", CLIENT) is None
