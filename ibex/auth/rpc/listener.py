"""Where the gRPC server listens."""

from dataclasses import dataclass

from ibex.auth.rpc.tls import TlsFiles


@dataclass(frozen=True, slots=True)
class Listener:
    """An IP address and a port; without `tls` the address is one of the loopback."""

    host: str
    port: int
    tls: TlsFiles | None

    @property
    def target(self) -> str:
        """As gRPC writes an address."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"
