"""From where a token may be used."""

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Network = IPv4Network | IPv6Network
_Address = IPv4Address | IPv6Address

MOST_NETWORKS = 64


def parse_networks(texts: Iterable[str]) -> tuple[Network, ...]:
    """Networks in CIDR notation; a lone address is a network of one. Raises `ValueError` with a sentence."""
    networks = []
    for text in texts:
        try:
            networks.append(ip_network(text.strip(), strict=True))
        except ValueError as error:
            raise ValueError(f"`{text[:64]}` is not a network such as 10.0.0.0/8: {error}.") from None
    if len(networks) > MOST_NETWORKS:
        raise ValueError(f"{len(networks)} networks; {MOST_NETWORKS} are accepted.")
    return tuple(networks)


def contain(networks: Sequence[Network], address: str | None) -> bool:
    """Whether an address is in one of the networks; an IPv4 address that came as IPv6 counts as IPv4."""
    parsed = _parse(address)
    return parsed is not None and any(parsed in network for network in networks)


def are_within(inner: Sequence[Network], outer: Sequence[Network]) -> bool:
    """Whether everything that `inner` allows is allowed by `outer`, where none means from anywhere."""
    if not outer:
        return True
    return bool(inner) and all(any(_is_subnet(one, other) for other in outer) for one in inner)


def _is_subnet(one: Network, other: Network) -> bool:
    if isinstance(one, IPv4Network) and isinstance(other, IPv4Network):
        return one.subnet_of(other)
    if isinstance(one, IPv6Network) and isinstance(other, IPv6Network):
        return one.subnet_of(other)
    return False


def _parse(address: str | None) -> _Address | None:
    try:
        parsed = ip_address(address or "")
    except ValueError:
        return None
    return (parsed.ipv4_mapped or parsed) if isinstance(parsed, IPv6Address) else parsed
