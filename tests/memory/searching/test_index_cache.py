"""The cache of indexes stays within its bound, and drops what was used least recently."""

from datetime import UTC, datetime
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from ibex.memory.repository.index_rows import IndexRow
from ibex.memory.retrieval.index import Index
from ibex.memory.searching.index_cache import IndexCache, IndexKey
from ibex.memory.searching.partition import IndexedPartition

ORGANIZATION = UUID(int=1)


def key(partition_id: int) -> IndexKey:
    return IndexKey(ORGANIZATION, partition_id, None)


def row(number: int, revision: int = 1, status: str = "active") -> IndexRow:
    return IndexRow(
        id=UUID(int=number),
        partition_id=1,
        revision=revision,
        status=status,  # type: ignore[arg-type]
        visibility="agent",
        content="a cello",
        session_id=None,
        speaker=None,
        observed_at=datetime(2024, 5, 7, tzinfo=UTC),
        kind="factual",
        confidence=1.0,
        pinned=False,
        helpful=1.0,
        unhelpful=1.0,
        uses=0,
        tags=[],
        labels=None,
        embedding=None,
    )


def partition(memories: int) -> IndexedPartition:
    return IndexedPartition.of([row(number + 1) for number in range(memories)], Index.of(()))


def test_what_was_used_least_recently_makes_room() -> None:
    one = partition(1)
    cache = IndexCache(2 * one.size)
    cache.put(key(1), one)
    cache.put(key(2), one)
    assert cache.get(key(1)) is one
    cache.put(key(3), one)
    assert cache.get(key(2)) is None
    assert cache.get(key(1)) is one
    assert cache.get(key(3)) is one


def test_what_is_larger_than_all_of_it_is_not_kept() -> None:
    large = partition(20)
    cache = IndexCache(large.size - 1)
    cache.put(key(1), large)
    assert cache.get(key(1)) is None
    assert cache.size == 0


@given(st.lists(st.tuples(st.integers(1, 4), st.integers(0, 5)), max_size=30), st.integers(0, 20_000))
def test_its_size_is_that_of_what_it_holds_and_within_its_capacity(
    puts: list[tuple[int, int]], capacity: int
) -> None:
    cache = IndexCache(capacity)
    for partition_id, memories in puts:
        cache.put(key(partition_id), partition(memories))
        held = [found for number in range(1, 5) if (found := cache.get(key(number))) is not None]
        assert cache.size == sum(each.size for each in held) <= capacity


def test_a_partition_shows_the_highest_revision_that_was_seen() -> None:
    shown = IndexedPartition.of([row(1, 3), row(2, 7)], Index.of(()), revision=5, epoch=2)
    assert shown.revision == 7
    assert shown.shows(7, 2)
    assert not shown.shows(8, 2)
    assert not shown.shows(1, 3)


def test_what_is_no_longer_live_leaves_the_index() -> None:
    shown = IndexedPartition.of([row(1), row(2)], Index.of(())).updated([row(1, 2, "superseded")], 2)
    assert [record.id for record in shown.index.records if record is not None] == [UUID(int=2)]
