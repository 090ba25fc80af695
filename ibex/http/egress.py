"""Which addresses IBEX may be made to connect to by somebody who chooses a URL."""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

from ibex.http.networks import Address, Network, parse_address

# Of the special-purpose registries of the IANA (RFC 6890), all that is not reachable from everywhere, and
# what stands for an IPv4 address.
_SPECIAL_4 = tuple(
    IPv4Network(text)
    for text in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
        # Microsoft Azure tells its virtual machines their secrets at this public address.
        "168.63.129.16/32",
    )
)
# Everything else of IPv6 is link-local, unique local, multicast, mapped, translated or not assigned.
_GLOBAL_6 = IPv6Network("2000::/3")
_SPECIAL_6 = tuple(IPv6Network(text) for text in ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"))


def is_reachable(text: str, allowed: Sequence[Network] = ()) -> bool:
    """Whether an address is a public one, or in a network that is allowed all the same.

    A text that is no address is neither. A mapped IPv4 address is judged as the IPv4 one it is.
    """
    address = parse_address(text.partition("%")[0])
    if address is None:
        return False
    return _is_public(address) or any(address in network for network in allowed)


def _is_public(address: Address) -> bool:
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _SPECIAL_4)
    return _is_public_6(address)


def _is_public_6(address: IPv6Address) -> bool:
    return address in _GLOBAL_6 and not any(address in network for network in _SPECIAL_6)
