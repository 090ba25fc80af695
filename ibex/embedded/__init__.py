"""The PostgreSQL and Valkey servers that come with ibex, run in a data directory.

    directory = DataDirectory(Path(".ibex"))
    postgres = PostgresServer(directory.path / "postgres", report=print)
    valkey = ValkeyServer(directory.path / "valkey", report=print)
    postgres.launch()
    valkey.launch()
    postgres.wait_ready()
    valkey.wait_ready()

Everything here is synchronous and starts no threads. On Linux a server ends when the *thread* that called
``launch`` ends, so launch from the main thread.
"""

from ibex.embedded.directory import DataDirectory
from ibex.embedded.errors import EmbeddedError
from ibex.embedded.postgres import PostgresServer
from ibex.embedded.valkey import ValkeyServer

__all__ = ["DataDirectory", "EmbeddedError", "PostgresServer", "ValkeyServer"]
