"""ClickHouse for tests: the real engine, behind as much of its HTTP interface as a client here uses."""
