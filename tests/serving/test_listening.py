"""The address that web processes share."""

import socket

import pytest

from ibex.serving.listening import AddressError, RpcAddressError, bind, listen, reserve


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


def shared(port: int) -> socket.socket:
    """A socket as gRPC opens one in each process."""
    opened = socket.socket()
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    opened.bind(("127.0.0.1", port))
    opened.listen()
    return opened


def test_processes_share_what_is_reserved_for_grpc_and_nobody_is_let_in_before_they_listen() -> None:
    with reserve("127.0.0.1", 0) as reserved:
        address = reserved.getsockname()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(address, timeout=5)
        with shared(address[1]), shared(address[1]):
            socket.create_connection(address, timeout=5).close()


def test_a_second_ibex_cannot_share_the_port_of_the_first() -> None:
    with reserve("127.0.0.1", 0) as reserved:
        port = reserved.getsockname()[1]
        with pytest.raises(RpcAddressError, match=rf"1:{port} cannot be listened on for gRPC: Address"):
            reserve("127.0.0.1", port)
        with shared(port), pytest.raises(RpcAddressError, match="IBEX_GRPC_PORT"):
            reserve("127.0.0.1", port)


def test_a_port_that_somebody_else_shares_is_not_reserved() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with shared(port), pytest.raises(RpcAddressError):
        reserve("127.0.0.1", port)
