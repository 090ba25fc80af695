"""The address that web processes share."""

import socket

import pytest

from ibex.serving.listening import AddressError, bind, listen


def test_nobody_is_let_in_before_it_listens() -> None:
    with bind("127.0.0.1", 0) as reserved:
        address = reserved.getsockname()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(address, timeout=5)
        listen(reserved)
        socket.create_connection(address, timeout=5).close()


def test_of_two_that_have_reserved_an_address_the_second_to_listen_is_told() -> None:
    with bind("127.0.0.1", 0) as first:
        port = first.getsockname()[1]
        with bind("127.0.0.1", port) as second:
            listen(first)
            with pytest.raises(
                AddressError, match=rf"127\.0\.0\.1:{port} cannot be listened on: Address already"
            ):
                listen(second)


@pytest.mark.parametrize(
    ("host", "reason"), [("203.0.113.1", "Cannot assign requested address"), ("no.such.host.invalid", "")]
)
def test_an_address_that_is_not_of_this_machine(host: str, reason: str) -> None:
    with pytest.raises(AddressError, match=f"{host}:8080 cannot be listened on: {reason}"):
        bind(host, 8080)
