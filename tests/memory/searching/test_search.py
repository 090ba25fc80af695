"""A search finds what its scope may see, as it is now or as it was."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest

from ibex.memory.memory import Scope
from ibex.memory.repository import index_rows
from ibex.memory.searching import Filters, MemorySearch, SearchAnswer, SearchQuery, SearchSettings
from ibex.storage import DatabaseUnavailableError, Postgres
from tests.memory.searching.changing import change, erase
from tests.memory.searching.embedding import BagOfWords, Broken, Hanging
from tests.memory.searching.storing import NOON, Stored, store
from tests.operator import Operator

# Every partition is as large as those that are not searched as a whole.
BY_CANDIDATES = SearchSettings(exact_up_to=0)
BOTH_WAYS = pytest.mark.parametrize("settings", [SearchSettings(), BY_CANDIDATES], ids=["exact", "large"])


def texts(answer: SearchAnswer) -> list[str]:
    return [found.memory.content for found in answer.results]


@BOTH_WAYS
async def test_what_shares_words_with_the_question_is_found(
    operator: Operator, scope: Scope, settings: SearchSettings
) -> None:
    await store(
        operator.postgres,
        scope.org_id,
        Stored("Ada plays the cello.", scope.agent_id, "ada"),
        Stored("The kettle is broken.", scope.agent_id, "ada"),
    )
    answer = await MemorySearch(operator.postgres, None, settings).search(
        scope, SearchQuery("Who plays the cello?")
    )
    assert texts(answer) == ["Ada plays the cello."]
    assert answer.results[0].source == "words"
    assert answer.degraded == "No embedding model is in use: memories were found by their words alone."


@BOTH_WAYS
async def test_what_means_the_same_in_other_words_is_found(
    operator: Operator, scope: Scope, embedder: BagOfWords, settings: SearchSettings
) -> None:
    await store(
        operator.postgres,
        scope.org_id,
        *(
            Stored(text, scope.agent_id, "ada", vector=embedder.vector(text))
            for text in ("cello lessons", "broken kettle")
        ),
    )
    answer = await MemorySearch(operator.postgres, embedder, settings).search(
        scope, SearchQuery("violoncello")
    )
    assert texts(answer) == ["cello lessons"]
    assert answer.results[0].source == "meaning"
    assert answer.degraded is None


@pytest.mark.parametrize("broken", [Broken, Hanging])
async def test_without_an_answer_from_the_embedder_words_decide_and_the_answer_says_so(
    operator: Operator, scope: Scope, embedder: BagOfWords, broken: type[BagOfWords]
) -> None:
    await store(
        operator.postgres,
        scope.org_id,
        Stored("cello lessons", scope.agent_id, "ada", vector=embedder.vector("cello lessons")),
    )
    search = MemorySearch(operator.postgres, broken(), SearchSettings(embedder_patience=0.05))
    answer = await search.search(scope, SearchQuery("cello"))
    assert texts(answer) == ["cello lessons"]
    assert answer.degraded is not None
    assert "did not answer" in answer.degraded


@BOTH_WAYS
async def test_what_is_written_changed_or_superseded_shows_in_the_next_search(
    operator: Operator, scope: Scope, settings: SearchSettings
) -> None:
    search = MemorySearch(operator.postgres, None, settings)
    first = Stored("The cello is in Paris.", scope.agent_id, "ada")
    await store(operator.postgres, scope.org_id, first)
    assert len(texts(await search.search(scope, SearchQuery("cello")))) == 1
    await store(operator.postgres, scope.org_id, Stored("The cello is in Rome.", scope.agent_id, "ada"))
    assert len(texts(await search.search(scope, SearchQuery("cello")))) == 2
    await change(operator.postgres, scope, first.id, "status = 'superseded'")
    assert texts(await search.search(scope, SearchQuery("cello"))) == ["The cello is in Rome."]
    await change(operator.postgres, scope, first.id, "status = 'active', content = 'The cello is sold.'")
    assert "The cello is sold." in texts(await search.search(scope, SearchQuery("cello")))


async def test_what_has_been_erased_is_gone_from_the_next_search(operator: Operator, scope: Scope) -> None:
    search = MemorySearch(operator.postgres, None)
    erased = Stored("The cello is in Paris.", scope.agent_id, "ada")
    await store(operator.postgres, scope.org_id, erased, Stored("A cello.", scope.agent_id, "ada"))
    await search.search(scope, SearchQuery("cello"))
    await erase(operator.postgres, scope, erased.id)
    assert texts(await search.search(scope, SearchQuery("cello"))) == ["A cello."]


@BOTH_WAYS
@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        (Filters(kinds=["preference"]), {"cello b"}),
        (Filters(tags_any=["red", "blue"]), {"cello a", "cello b"}),
        (Filters(tags_all=["red", "big"]), {"cello a"}),
        (Filters(labels=["music"]), {"cello c"}),
        (Filters(session_id="s1"), {"cello c"}),
        (Filters(observed_from=NOON), {"cello a", "cello b", "cello c"}),
        (Filters(observed_until=NOON), {"cello d"}),
        (Filters(min_confidence=0.9), {"cello a", "cello b", "cello d"}),
        (Filters(pinned=True), {"cello d"}),
        (Filters(pinned=False, tags_any=["blue"]), {"cello b"}),
    ],
)
async def test_filters(
    operator: Operator, scope: Scope, settings: SearchSettings, filters: Filters, expected: set[str]
) -> None:
    await store(
        operator.postgres,
        scope.org_id,
        Stored("cello a", scope.agent_id, "ada", tags=["red", "big"]),
        Stored("cello b", scope.agent_id, "ada", tags=["blue"], kind="preference", confidence=0.9),
        Stored("cello c", scope.agent_id, "ada", session_id="s1", labels=["music"], confidence=0.5),
        Stored("cello d", scope.agent_id, "ada", pinned=True, observed_at=NOON - timedelta(days=1)),
    )
    search = MemorySearch(operator.postgres, None, settings)
    assert set(texts(await search.search(scope, SearchQuery("cello", filters=filters)))) == expected


async def test_a_filter_that_few_meet_leaves_as_many_results_as_there_are(
    operator: Operator, scope: Scope, embedder: BagOfWords
) -> None:
    crowd = [
        Stored(f"cello {n}", scope.agent_id, "ada", vector=embedder.vector(f"cello {n}")) for n in range(600)
    ]
    rare = [replace(each, tags=["rare"]) for each in crowd[::100]]
    await store(operator.postgres, scope.org_id, *(each for each in crowd if each not in crowd[::100]), *rare)
    search = MemorySearch(operator.postgres, embedder, BY_CANDIDATES)
    answer = await search.search(scope, SearchQuery("cello", filters=Filters(tags_all=["rare"])))
    assert {found.memory.id for found in answer.results} == {each.id for each in rare}


async def test_the_past_is_searched_as_it_was(operator: Operator, scope: Scope) -> None:
    moved = NOON + timedelta(days=30)
    await store(
        operator.postgres,
        scope.org_id,
        Stored("The cello is in Paris.", scope.agent_id, "ada", valid_until=moved),
        Stored("The cello is in Rome.", scope.agent_id, "ada", observed_at=moved, valid_from=moved),
        Stored("The cello was stolen.", scope.agent_id, "ada", status="deleted"),
    )
    search = MemorySearch(operator.postgres, None)

    async def at(days: int) -> list[str]:
        query = SearchQuery("cello", as_of=NOON + timedelta(days=days))
        return texts(await search.search(scope, query))

    assert await at(-1) == []
    assert await at(10) == ["The cello is in Paris."]
    assert await at(40) == ["The cello is in Rome."]


async def test_an_explanation_comes_when_it_is_asked_for(operator: Operator, scope: Scope) -> None:
    await store(operator.postgres, scope.org_id, Stored("A cello.", scope.agent_id, "ada"))
    search = MemorySearch(operator.postgres, None)
    (plain,) = (await search.search(scope, SearchQuery("cello"))).results
    (explained,) = (await search.search(scope, SearchQuery("cello", explain=True))).results
    assert plain.explain is None
    assert explained.explain is not None
    assert explained.explain.matched_terms == ("cello",)
    assert explained.rank == plain.rank == 1


async def test_words_that_mean_something_to_postgres_are_looked_for_as_they_are(
    operator: Operator, scope: Scope
) -> None:
    text = r"it's 'quoted' \ & | ! <-> :* 北京大学 cello"
    await store(operator.postgres, scope.org_id, Stored(text, scope.agent_id, "ada"))
    search = MemorySearch(operator.postgres, None, BY_CANDIDATES)
    assert texts(await search.search(scope, SearchQuery(text))) == [text]


@pytest.mark.parametrize("question", ["", "   ", "🎻", "?" * 10_000, "\x01"])
@BOTH_WAYS
async def test_a_question_of_no_words_is_answered(
    operator: Operator, scope: Scope, embedder: BagOfWords, settings: SearchSettings, question: str
) -> None:
    await store(operator.postgres, scope.org_id, Stored("A cello.", scope.agent_id, "ada"))
    search = MemorySearch(operator.postgres, None, settings)
    assert len(texts(await search.search(scope, SearchQuery(question)))) <= 1


async def test_a_scope_without_memories_has_no_results(operator: Operator, scope: Scope) -> None:
    assert texts(await MemorySearch(operator.postgres, None).search(scope, SearchQuery("cello"))) == []


async def test_searches_of_one_partition_at_once_read_it_once(
    operator: Operator, scope: Scope, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads = []
    live_rows = index_rows.live_rows

    async def counted(postgres: Postgres, org_id: UUID, partition_id: int, model: int | None) -> object:
        reads.append(partition_id)
        return await live_rows(postgres, org_id, partition_id, model)

    monkeypatch.setattr(index_rows, "live_rows", counted)
    await store(operator.postgres, scope.org_id, Stored("A cello.", scope.agent_id, "ada"))
    search = MemorySearch(operator.postgres, None)
    answers = await asyncio.gather(*(search.search(scope, SearchQuery("cello")) for _ in range(20)))
    assert [texts(answer) for answer in answers] == [["A cello."]] * 20
    assert len(reads) == 1


async def test_without_the_database_there_is_no_answer() -> None:
    nowhere = Postgres("postgresql://nobody@127.0.0.1:1/none", wait=0.1)
    await nowhere.open()
    try:
        with pytest.raises(DatabaseUnavailableError):
            await MemorySearch(nowhere, None).search(Scope(UUID(int=1), UUID(int=2)), SearchQuery("cello"))
    finally:
        await nowhere.close()


@pytest.mark.parametrize("limit", [0, -1, 1_001])
def test_a_limit_out_of_bounds_is_refused(limit: int) -> None:
    with pytest.raises(ValueError, match="results"):
        SearchQuery("cello", limit=limit)
