"""The files that TLS needs, checked before they are used."""

import ssl
from dataclasses import dataclass
from pathlib import Path


class TlsError(Exception):
    """The files cannot be used; the message is a sentence that says which one and why."""


@dataclass(frozen=True, slots=True)
class TlsMaterial:
    """What is in the files, in PEM."""

    certificate: bytes
    key: bytes
    client_ca: bytes | None

    def __repr__(self) -> str:
        return "TlsMaterial()"


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """Certificate chain, key, and the authorities whose certificates clients must show, if they must."""

    certificate: Path
    key: Path
    client_ca: Path | None

    def read(self) -> TlsMaterial:
        """Raises `TlsError` when a file cannot be read, is not PEM, or does not belong to the others."""
        client_ca = _content(self.client_ca) if self.client_ca is not None else None
        material = TlsMaterial(_content(self.certificate), _content(self.key), client_ca)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        try:
            # A password that is given keeps a sealed key from asking for one on the terminal.
            context.load_cert_chain(self.certificate, self.key, password="")
        except (ssl.SSLError, OSError, ValueError):
            raise TlsError(
                f"{self.certificate} and {self.key} are not a certificate and its key, in PEM and without a "
                "password."
            ) from None
        try:
            if self.client_ca is not None:
                context.load_verify_locations(self.client_ca)
        except (ssl.SSLError, OSError):
            raise TlsError(f"{self.client_ca} is not a certificate in PEM.") from None
        return material

    def stamp(self) -> tuple[int, ...]:
        """Changes when a file does. Raises OSError."""
        files = (self.certificate, self.key, self.client_ca)
        return tuple(file.stat().st_mtime_ns for file in files if file is not None)


def _content(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise TlsError(f"{file} cannot be read: {error.strerror}.") from None
