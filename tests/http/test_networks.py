"""Networks in which an address lies, or another network."""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ibex.http import Network, are_within, contain, parse_networks
from ibex.http.networks import MOST_NETWORKS, Address, parse_address

MAPPED = IPv6Network("::ffff:0:0/96")

FOUR = st.builds(
    lambda number, length: IPv4Network((number >> (32 - length) << (32 - length), length)),
    st.integers(0, (1 << 32) - 1),
    st.integers(0, 32),
)
SIX = st.builds(
    lambda number, length: IPv6Network((number >> (128 - length) << (128 - length), length)),
    st.integers(0, (1 << 128) - 1),
    st.integers(0, 128),
).filter(lambda network: not network.overlaps(MAPPED))
# Few enough bits that networks meet.
SMALL = st.builds(
    lambda number, length: IPv4Network((0x0A000000 | number >> (32 - length) << (32 - length), length)),
    st.integers(0, 15),
    st.integers(28, 32),
)
NETWORKS = FOUR | SIX
SETS = st.lists(NETWORKS, max_size=5)
SMALL_SETS = st.lists(SMALL, max_size=5)
HERE = [str(IPv4Address(0x0A000000 | number)) for number in range(16)]


def first_and_last(network: Network) -> list[Address]:
    return [network[0], network[-1]]


@given(SETS)
def test_networks_survive_being_written_and_read(networks: list[Network]) -> None:
    assert parse_networks(str(network) for network in networks) == tuple(networks)


@given(st.ip_addresses(v=4) | st.ip_addresses(v=6).filter(lambda address: address not in MAPPED))
def test_a_lone_address_is_a_network_of_one(address: Address) -> None:
    [network] = parse_networks([str(address)])
    assert (network.num_addresses, network[0]) == (1, address)


@given(NETWORKS)
def test_a_network_contains_its_ends_and_not_its_neighbours(network: Network) -> None:
    for address in first_and_last(network):
        assert contain([network], str(address))
    if int(network[0]) > 0:
        assert not contain([network], str(network[0] - 1))
    if int(network[-1]) < (1 << network.max_prefixlen) - 1:
        assert not contain([network], str(network[-1] + 1))


@given(SETS, st.ip_addresses(v=4))
def test_an_ipv4_address_is_the_same_however_it_came(networks: list[Network], address: IPv4Address) -> None:
    assert contain(networks, f"::ffff:{address}") == contain(networks, str(address))
    assert contain(networks, f"::FFFF:{address.packed.hex(':', 2)}") == contain(networks, str(address))


@given(FOUR)
def test_a_mapped_network_is_the_ipv4_network_that_it_means(network: IPv4Network) -> None:
    mapped = f"::ffff:{network.network_address}/{96 + network.prefixlen}"
    assert parse_networks([mapped]) == (network,)


@given(SMALL_SETS, SMALL_SETS)
def test_within_means_that_no_address_is_allowed_that_was_not(
    inner: list[IPv4Network], outer: list[IPv4Network]
) -> None:
    """Also where several networks make up for one: every address of both is tried."""
    assume(inner and outer)
    allowed = {address for address in HERE if contain(inner, address)}
    assert are_within(inner, outer) == (allowed <= {address for address in HERE if contain(outer, address)})


@given(SETS)
def test_whatever_is_anywhere_is_within_nothing_narrower(networks: list[Network]) -> None:
    assert are_within(networks, [])
    assert are_within([], networks) == (not networks)
    assert are_within(networks, networks)


@given(SETS, SETS, SETS)
def test_to_be_within_is_passed_on(one: list[Network], other: list[Network], third: list[Network]) -> None:
    larger, largest = [*one, *other], [*one, *other, *third]
    assume(one)
    assert are_within(one, larger)
    assert are_within(one, largest)
    if are_within(largest, other) and other:
        assert are_within(one, other)


@pytest.mark.parametrize(
    "address", [None, "", "nowhere", "10.0.0.1:80", "10.0.0", "10.0.0.1/32", "0x0a000001"]
)
def test_what_is_no_address_is_in_no_network(address: str | None) -> None:
    everywhere = parse_networks(["0.0.0.0/0", "::/0"])
    assert not contain(everywhere, address)


def test_a_zone_is_left_out_of_an_address() -> None:
    assert parse_address("fe80::1%eth0") == IPv6Address("fe80::1")
    assert contain(parse_networks(["fe80::/10"]), "fe80::1%eth0")


def test_ipv4_is_not_part_of_all_of_ipv6() -> None:
    assert not contain(parse_networks(["::/0"]), "10.0.0.1")
    assert not contain(parse_networks(["::/0"]), "::ffff:10.0.0.1")
    assert not contain(parse_networks(["0.0.0.0/0"]), "2001:db8::1")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "is not a network such as"),
        ("everywhere", "is not a network such as"),
        ("10.0.0.0/33", "is not a network such as"),
        ("10.0.0.0/-1", "is not a network such as"),
        ("10.0.0.0/", "is not a network such as"),
        ("/8", "is not a network such as"),
        ("300.0.0.0/8", "is not a network such as"),
        ("10.0.0.0/8/8", "is not a network such as"),
        ("fe80::%eth0/10", "is not a network such as"),
        ("fe80::1%eth0", "is not a network such as"),
        ("10.0.0.0\x00/8", "is not a network such as"),
        ("\u0661\u0660.0.0.0/8", "is not a network such as"),
        ("10.0.0.1/8", r"is an address within a network: write 10\.0\.0\.0/8\."),
        ("2001:db8::1/32", r"write 2001:db8::/32\."),
    ],
)
def test_what_is_no_network_is_refused_with_a_sentence(text: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        parse_networks([text])


def test_a_sentence_quotes_no_more_than_a_line() -> None:
    with pytest.raises(ValueError, match="is not a network") as raised:
        parse_networks(["x" * 10_000])
    assert len(str(raised.value)) < 200


@given(st.text())
def test_any_text_is_networks_or_a_sentence(text: str) -> None:
    try:
        networks = parse_networks([text])
    except ValueError:
        with pytest.raises(ValueError, match=r"^`"):
            parse_networks([text])
    else:
        assert len(networks) == 1


def test_there_is_a_most() -> None:
    assert len(parse_networks(["10.0.0.0/8"] * MOST_NETWORKS)) == MOST_NETWORKS
    with pytest.raises(ValueError, match=f"{MOST_NETWORKS} are accepted"):
        parse_networks(["10.0.0.0/8"] * (MOST_NETWORKS + 1))
