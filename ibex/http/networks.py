"""From where a token may be used."""

from collections.abc import Iterable, Sequence
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    collapse_addresses,
    ip_address,
    ip_network,
)

Network = IPv4Network | IPv6Network
Address = IPv4Address | IPv6Address

MOST_NETWORKS = 64
# `::ffff:a.b.c.d` (RFC 4291, section 2.5.5.2): an IPv4 address as a socket for both shows it.
_MAPPED_BITS = 96


def parse_networks(texts: Iterable[str]) -> tuple[Network, ...]:
    """Networks in CIDR notation; a lone address is a network of one. Raises `ValueError` with a sentence."""
    networks = tuple(_network(text) for text in texts)
    if len(networks) > MOST_NETWORKS:
        raise ValueError(f"{len(networks)} networks; {MOST_NETWORKS} are accepted.")
    return networks


def parse_address(text: str | None) -> Address | None:
    """An address without a zone, or None for what is none; a mapped IPv4 address as the IPv4 one it is."""
    try:
        parsed = ip_address(text or "")
    except ValueError:
        return None
    if isinstance(parsed, IPv4Address):
        return parsed
    return parsed.ipv4_mapped or IPv6Address(int(parsed))


def contain(networks: Sequence[Network], address: str | None) -> bool:
    """Whether an address is in one of the networks."""
    parsed = parse_address(address)
    return parsed is not None and any(parsed in network for network in networks)


def are_within(inner: Sequence[Network], outer: Sequence[Network]) -> bool:
    """Whether everything that `inner` allows is allowed by `outer`, where none means from anywhere."""
    if not outer:
        return True
    if not inner:
        return False
    four, six = _merged(outer)
    return all(
        any(one.subnet_of(other) for other in four)
        if isinstance(one, IPv4Network)
        else any(one.subnet_of(other) for other in six)
        for one in inner
    )


def _network(text: str) -> Network:
    try:
        network = ip_network(text.strip(), strict=False)
        if "%" in text:
            raise ValueError("a zone means something on one machine only")
    except ValueError:
        raise ValueError(f"`{text[:64]}` is not a network such as 10.0.0.0/8 or 2001:db8::/32.") from None
    given = text.strip().partition("/")[0]
    if ip_address(given) != network.network_address:
        raise ValueError(f"`{text[:64]}` is an address within a network: write {network}.")
    return _unmapped(network)


def _unmapped(network: Network) -> Network:
    """The IPv4 network that a mapped one means, since addresses are compared like that."""
    if isinstance(network, IPv6Network) and network.prefixlen >= _MAPPED_BITS:
        mapped = network.network_address.ipv4_mapped
        if mapped is not None:
            return IPv4Network((mapped, network.prefixlen - _MAPPED_BITS))
    return network


def _merged(networks: Sequence[Network]) -> tuple[list[IPv4Network], list[IPv6Network]]:
    """Neighbours as the larger network that they make up, so that one of them holds whatever they hold."""
    return (
        list(collapse_addresses(n for n in networks if isinstance(n, IPv4Network))),
        list(collapse_addresses(n for n in networks if isinstance(n, IPv6Network))),
    )
