"""TLS credentials that follow their files, so that a renewed certificate needs no restart."""

import logging
from typing import Any

import grpc

from ibex.auth.rpc.tls import TlsError, TlsFiles, TlsMaterial

logger = logging.getLogger(__name__)


def server_credentials(files: TlsFiles) -> grpc.ServerCredentials:
    """Raises `TlsError` when the files cannot be used; later on, such files are left aside."""
    renewal = _Renewal(files)
    credentials: grpc.ServerCredentials = grpc.dynamic_ssl_server_credentials(
        _configuration(files.read()), renewal.fetch, require_client_authentication=files.client_ca is not None
    )
    return credentials


class _Renewal:
    """Asked before each handshake, by a thread of gRPC."""

    def __init__(self, files: TlsFiles) -> None:
        self._files = files
        self._seen = files.stamp()

    def fetch(self) -> Any:
        """The new files; None when they are as before, or cannot be used yet."""
        try:
            stamp = self._files.stamp()
            if stamp == self._seen:
                return None
            self._seen = stamp
            material = self._files.read()
        except (TlsError, OSError) as error:
            logger.error("the certificate of the gRPC port stays as it is: %s", error)
            return None
        logger.info("the certificate of the gRPC port was renewed")
        return _configuration(material)


def _configuration(material: TlsMaterial) -> grpc.ServerCertificateConfiguration:
    return grpc.ssl_server_certificate_configuration(
        [(material.key, material.certificate)], root_certificates=material.client_ca
    )
