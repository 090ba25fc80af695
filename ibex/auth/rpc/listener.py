"""Where the gRPC server listens."""

from dataclasses import dataclass

from ibex.auth.rpc.tls import TlsFiles
from ibex.settings import Settings


@dataclass(frozen=True, slots=True)
class Listener:
    """An IP address and a port; without `tls` the address is one of the loopback."""

    host: str
    port: int
    tls: TlsFiles | None

    @classmethod
    def of(cls, settings: Settings) -> "Listener | None":
        """None when gRPC is not to be served."""
        if settings.grpc_port is None:
            return None
        tls = None
        if settings.grpc_tls_certificate is not None and settings.grpc_tls_key is not None:
            tls = TlsFiles(settings.grpc_tls_certificate, settings.grpc_tls_key, settings.grpc_tls_client_ca)
        return cls(settings.grpc_host, settings.grpc_port, tls)

    @property
    def target(self) -> str:
        """As gRPC writes an address."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"
