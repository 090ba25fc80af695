"""TLS: with a certificate, with certificates of clients, and when a certificate is renewed."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest

from ibex.auth.rpc import TlsError, TlsFiles
from ibex.settings import SettingsError, load
from tests.auth.rpc.calling import Caller, calling, service_token
from tests.auth.rpc.certificates import Authority, Files
from tests.faults.waiting import until
from tests.fixtures import Database
from tests.operator import Operator
from tests.service import Service


@pytest.fixture
def authority() -> Authority:
    return Authority.make("an authority of the test's own")


@pytest.fixture
def files(authority: Authority, tmp_path: Path) -> Files:
    kept = Files(tmp_path / "server.pem", tmp_path / "server.key")
    kept.write(authority.issue("server"))
    return kept


@asynccontextmanager
async def serving(
    database: Database, operator: Operator, port: int, files: Files, **settings: Any
) -> AsyncIterator[tuple[Service, str]]:
    """A service with TLS, and a service token for it."""
    async with Service.start(
        database.service_dsn,
        database.redis_url,
        operator,
        None,
        grpc_port=port,
        grpc_tls_certificate=files.certificate,
        grpc_tls_key=files.key,
        **settings,
    ) as service:
        yield service, await service_token(operator, service.org_id)


async def is_answered(caller: Caller, text: str) -> bool:
    try:
        await caller.validate_token(text)
    except grpc.aio.AioRpcError as error:
        if error.code() is not grpc.StatusCode.UNAVAILABLE:
            raise
        return False
    return True


async def test_a_client_that_trusts_the_certificate_is_answered_and_plain_text_is_not(
    database: Database, operator: Operator, port: int, authority: Authority, files: Files
) -> None:
    async with serving(database, operator, port, files) as (service, token):
        trusting = grpc.ssl_channel_credentials(authority.pem)
        doubting = grpc.ssl_channel_credentials(Authority.make("another").pem)
        async with calling(port, token, credentials=trusting) as caller:
            assert (await caller.validate_token(service.token)).org_id == str(service.org_id)
        async with calling(port, token, credentials=doubting) as caller:
            assert not await is_answered(caller, service.token)
        async with calling(port, token) as caller:
            assert not await is_answered(caller, service.token)


async def test_clients_must_show_a_certificate_when_an_authority_is_named(
    database: Database,
    operator: Operator,
    port: int,
    authority: Authority,
    files: Files,
    tmp_path: Path,
) -> None:
    """And a service token all the same."""
    clients = Authority.make("of clients")
    (tmp_path / "clients.pem").write_bytes(clients.pem)
    certificate, key = clients.issue("a client")
    stranger, stranger_key = authority.issue("a stranger")
    async with serving(database, operator, port, files, grpc_tls_client_ca=tmp_path / "clients.pem") as (
        service,
        token,
    ):
        known = grpc.ssl_channel_credentials(authority.pem, key, certificate)
        async with calling(port, token, credentials=known) as caller:
            assert await is_answered(caller, service.token)
            refused = await caller.as_holder_of(None).refusal(service.token)
            assert refused is not None
            assert refused.reason == ("UNAUTHENTICATED", "MISSING_TOKEN", "caller")
        for credentials in (
            grpc.ssl_channel_credentials(authority.pem),
            grpc.ssl_channel_credentials(authority.pem, stranger_key, stranger),
        ):
            async with calling(port, token, credentials=credentials) as caller:
                assert not await is_answered(caller, service.token)


async def test_a_renewed_certificate_needs_no_restart(
    database: Database, operator: Operator, port: int, authority: Authority, files: Files
) -> None:
    renewed_by = Authority.make("the next authority")
    before = grpc.ssl_channel_credentials(authority.pem)
    after = grpc.ssl_channel_credentials(renewed_by.pem)
    async with serving(database, operator, port, files) as (service, token):
        certificate, key = renewed_by.issue("server")
        # For a moment the two do not fit, and those before them are used.
        files.certificate.write_bytes(certificate)
        async with calling(port, token, credentials=before) as caller:
            assert await is_answered(caller, service.token)
        files.key.write_bytes(key)
        async with calling(port, token, credentials=after) as caller:
            await until(lambda: is_answered(caller, service.token))


def test_files_that_do_not_fit_are_told(authority: Authority, files: Files, tmp_path: Path) -> None:
    _, other_key = authority.issue("another")
    (tmp_path / "other.key").write_bytes(other_key)
    (tmp_path / "rubbish").write_text("hello")

    for wrong, said in (
        (TlsFiles(tmp_path / "nowhere", files.key, None), "nowhere cannot be read: No such file"),
        (TlsFiles(files.certificate, tmp_path / "other.key", None), "are not a certificate and its key"),
        (TlsFiles(tmp_path / "rubbish", files.key, None), "are not a certificate and its key"),
        (TlsFiles(files.certificate, files.key, tmp_path / "rubbish"), "is not a certificate in PEM"),
    ):
        with pytest.raises(TlsError, match=said):
            wrong.read()
    assert "PRIVATE" not in repr(TlsFiles(files.certificate, files.key, None).read())


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"grpc_host": "0.0.0.0"}, "gRPC carries tokens, so on 0.0.0.0 it needs TLS"),
        ({"grpc_host": "192.0.2.1"}, "it needs TLS"),
        ({"grpc_host": "::"}, "it needs TLS"),
        ({"grpc_host": "localhost"}, "must be an IP address"),
        ({"grpc_tls_certificate": "server.pem"}, "need each other"),
        ({"grpc_tls_key": "server.key"}, "need each other"),
        ({"grpc_tls_client_ca": "clients.pem"}, "`grpc_tls_client_ca` needs"),
        ({"grpc_port": 8080, "port": 8080}, "must not be the same"),
    ],
)
def test_settings_that_would_show_tokens_or_do_not_fit_stop_the_start(
    settings: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(SettingsError, match=sentence):
        load({}, overrides={"grpc_port": 50051, **settings})


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "::1"])
def test_the_loopback_needs_no_tls(host: str) -> None:
    assert load({}, overrides={"grpc_port": 50051, "grpc_host": host}).grpc_host == host


def test_another_host_is_allowed_with_tls() -> None:
    given = {"grpc_host": "0.0.0.0", "grpc_tls_certificate": "a.pem", "grpc_tls_key": "a.key"}

    assert load({}, overrides={"grpc_port": 50051, **given}).grpc_host == "0.0.0.0"
