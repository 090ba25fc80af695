"""How the connections of one process are shared out."""

import pytest

from ibex.storage import Stores

NOWHERE = "redis://127.0.0.1:1"


@pytest.mark.parametrize(("connections", "shares"), [(2, (1, 1)), (3, (1, 2)), (4, (2, 2)), (10, (3, 7))])
def test_the_connections_are_shared_out_between_writing_and_looking_up(
    connections: int, shares: tuple[int, int]
) -> None:
    stores = Stores.of("", NOWHERE, connections)
    assert (stores.writing._pool.max_size, stores.looking_up._pool.max_size) == shares


def test_one_connection_serves_both() -> None:
    stores = Stores.of("", NOWHERE, 1)
    assert stores.writing is stores.looking_up
    assert stores.writing._pool.max_size == 1
