"""Nobody who chooses a URL leads IBEX to an address that is not public."""

import asyncio
import ssl
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ibex.errors import IbexError
from ibex.http import is_reachable, parse_networks
from ibex.notifications.sending import Addresses, NoAddressError
from ibex.notifications.sending.addresses import look_up
from ibex.notifications.url import UrlRules
from ibex.settings import NotificationSettings
from tests.auth.rpc.certificates import Authority
from tests.notifications.endpoint import Endpoint
from tests.notifications.office import Office, found_at

NOT_PUBLIC = (
    "0.0.0.0",
    "10.1.2.3",
    "100.64.0.1",
    "100.100.100.200",
    "127.0.0.1",
    "168.63.129.16",
    "169.254.169.254",
    "172.31.255.255",
    "192.0.0.192",
    "192.168.0.1",
    "198.19.0.1",
    "224.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "64:ff9b::7f00:1",
    "2001:0:1::1",
    "2001:db8::1",
    "2002:7f00:1::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1%eth0",
    "ff02::1",
    "localhost",
)


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_what_is_not_public_is_out_of_reach(address: str) -> None:
    assert not is_reachable(address)


@pytest.mark.parametrize("address", ["1.1.1.1", "8.8.8.8", "2606:4700::1111", "::ffff:1.1.1.1"])
def test_what_is_public_is_within_reach(address: str) -> None:
    assert is_reachable(address)


@given(st.ip_addresses(v=4))
def test_a_mapped_address_is_judged_as_what_it_is(address: object) -> None:
    assert is_reachable(f"::ffff:{address}") == is_reachable(str(address))


@given(st.ip_addresses(network="127.0.0.0/8"))
def test_a_network_that_is_allowed_is_within_reach(address: object) -> None:
    assert is_reachable(str(address), parse_networks(["127.0.0.0/8"]))
    assert not is_reachable(str(address), parse_networks(["10.0.0.0/8"]))


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/hook",
        "https://127.0.0.1/hook",
        "https://[::1]/hook",
        "https://[::ffff:10.0.0.1]/hook",
        "https://169.254.169.254/latest/meta-data",
        "https://user:password@example.com/",
        "https://example.com/#fragment",
        "https://example.com:0/",
        "https://example.com/\r\nX-Injected: yes",
        "https://example.com/ hook",
        "ftp://example.com/",
        "https://",
        "https://[::1",
        "example.com",
        "mailto:ada@example.org",
        "https://example.com/" + "x" * 2_000,
    ],
)
def test_a_url_that_cannot_be_meant_is_refused(url: str) -> None:
    with pytest.raises(IbexError) as refused:
        UrlRules(allow_http=False, allowed_networks=(), has_mail=False).checked(url)
    assert refused.value.param == "url"


@pytest.mark.parametrize(
    "found", [["127.0.0.1"], ["1.1.1.1", "10.0.0.1"], ["::ffff:192.168.0.1"], ["fe80::1%2"]]
)
async def test_a_name_with_one_address_that_is_not_public_is_refused(found: Sequence[str]) -> None:
    with pytest.raises(NoAddressError) as refused:
        await Addresses((), found_at(*found)).of("example.com", 443)
    assert refused.value.is_private


async def test_an_address_in_another_spelling_is_found_out_by_looking_it_up() -> None:
    """Some resolvers take `0x7f.1` or `2130706433` for 127.0.0.1."""
    with pytest.raises(NoAddressError):
        await Addresses((), look_up).of("2130706433", 443)


async def test_nothing_is_sent_to_a_name_that_leads_inside(office: Office, endpoint: Endpoint) -> None:
    inside = replace(office, settings=NotificationSettings(allow_http=True))
    webhook = await inside.webhook(f"http://hook.example.com:{endpoint.port}/")
    async with inside.courier(find=found_at("127.0.0.1")):
        await inside.happens()
        delivery = await inside.attempted(webhook, 1)
    assert delivery.attempts[0].error == "private_address"
    assert endpoint.received == []


async def test_a_name_is_looked_up_once_and_what_was_checked_is_connected_to(
    office: Office, endpoint: Endpoint
) -> None:
    """Rebinding: whatever the name leads to a moment later, nobody asks for it."""
    asked = 0

    async def rebinding(host: str, port: int) -> Sequence[str]:
        nonlocal asked
        asked += 1
        await asyncio.sleep(0)
        return ["127.0.0.1"] if asked == 1 else ["127.0.0.2"]

    webhook = await office.webhook(f"http://rebinding.example.com:{endpoint.port}/")
    async with office.courier(find=rebinding):
        await office.happens()
        await office.attempted(webhook, 1)
    (request,) = endpoint.received
    assert (asked, request.headers["host"]) == (1, f"rebinding.example.com:{endpoint.port}")


async def test_a_server_must_prove_the_name_in_the_url(office: Office, tmp_path: Path) -> None:
    authority = Authority.make("Test")
    certificate, key = authority.issue("127.0.0.1")
    (tmp_path / "certificate").write_bytes(certificate)
    (tmp_path / "key").write_bytes(key)
    serving = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    serving.load_cert_chain(tmp_path / "certificate", tmp_path / "key")
    trusting = ssl.create_default_context(cadata=authority.pem.decode())
    async with Endpoint(tls=serving) as endpoint:
        proven = await office.webhook(endpoint.url)
        other = await office.webhook(f"https://example.com:{endpoint.port}/")
        async with office.courier(find=found_at("127.0.0.1"), tls=trusting):
            await office.happens()
            assert (await office.attempted(proven, 1)).delivery.status == "delivered"
            assert (await office.attempted(other, 1)).attempts[0].error == "tls"
    assert len(endpoint.received) == 1
