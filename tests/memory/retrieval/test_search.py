# ruff: noqa: RUF001, some of it is in other scripts
from dataclasses import replace
from datetime import timedelta
from itertools import combinations, pairwise
from uuid import UUID

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from ibex.memory.retrieval import Beyond, Hit, Index, Query, Record, search
from tests.memory.retrieval.records import NOW, START, direction, record, records, texts, vectors


def ids(parts: list[Index], query: Query, limit: int = 10) -> list[int]:
    return [hit.record.id.int for hit in search(parts, query, limit)]


def asked(text: str, vector: NDArray[np.float32] | None = None) -> Query:
    return Query(text, vector, NOW)


PLAIN = [
    record(1, "My sister keeps bees on the roof."),
    record(2, "The dentist moved my appointment to Thursday."),
    record(3, "I learned to paddle a kayak in Norway."),
    record(4, "Our boiler was serviced by a man from Leeds."),
]


def test_a_word_in_common_finds_a_memory() -> None:
    assert ids([Index.of(PLAIN)], asked("Where did she go kayaking?")) == [3]


@pytest.mark.parametrize(
    ("question", "answer"),
    [("我的猫叫什么？", 1), ("Куда мы поедем отдыхать?", 2), ("أين المدرسة؟", 3), ("昨日の大雨", 4)],
)
def test_questions_in_other_scripts_find_their_answers(question: str, answer: int) -> None:
    memories = [
        record(1, "猫的名字是小白。"),
        record(2, "Летом мы поехали отдохнуть в Карелию."),
        record(3, "مدرسة ابني قريبة من البيت."),
        record(4, "大変な雨でした。昨日は家にいました。"),
    ]
    assert ids([Index.of(memories)], asked(question))[0] == answer


def test_among_candidates_a_word_is_as_rare_as_it_is_in_all_there_is() -> None:
    candidates = Index.of(
        [
            record(1, "The cello stands there."),
            record(2, "The cello stands here."),
            record(3, "The cello stands nearby."),
            record(4, "The garden stands wet."),
        ]
    )
    question = Query("garden cello", None, NOW)
    among_all = replace(question, beyond=Beyond(10_000, {"cello": 0, "garden": 4_000}))

    assert ids([candidates], question)[0] == 4
    assert ids([candidates], among_all)[-1] == 4


def test_a_word_of_which_nothing_is_known_is_as_frequent_everywhere_as_among_the_candidates() -> None:
    candidates = Index.of(PLAIN)
    question = Query("bees on the roof", None, NOW)
    wider = replace(question, beyond=Beyond(10_000))

    assert ids([candidates], wider) == ids([candidates], question)


def test_a_meaning_in_common_finds_a_memory_without_a_word_in_common() -> None:
    memories = [replace(each, embedding=direction(number)) for number, each in enumerate(PLAIN)]
    assert ids([Index.of(memories)], asked("honey", direction(0)))[0] == 1


def test_an_answer_is_found_by_the_words_of_the_question_before_it() -> None:
    talk = [
        record(1, "How was the concert in Porto?", session="one"),
        record(2, "Wonderful, the fado singer made everybody cry.", session="one"),
        record(3, "I am painting the kitchen yellow.", session="two"),
        record(4, "The singer of my old band called.", session="two"),
    ]
    assert ids([Index.of(talk)], asked("Porto concert"))[0] == 2


def test_neighbours_are_those_of_the_same_session() -> None:
    talk = [
        record(1, "Porto was sunny.", session="one"),
        record(2, "The cellar flooded again.", session="two"),
    ]
    assert ids([Index.of(talk)], asked("Porto")) == [1]


@pytest.mark.parametrize("as_prefix", [True, False])
def test_the_person_asked_about_speaks_for_herself(as_prefix: bool) -> None:
    said = [
        ("Maud", "I bought a cello."),
        ("Ivo", "I bought a drum."),
        ("Maud", "It rained."),
        ("Ivo", "It froze."),
    ]
    talk = [
        record(number, f"{name}: {text}") if as_prefix else record(number, text, speaker=name)
        for number, (name, text) in enumerate(said, 1)
    ]
    assert ids([Index.of(talk)], asked("What has Maud bought?"))[0] == 1
    assert ids([Index.of(talk)], asked("What has Ivo bought?"))[0] == 2


@pytest.mark.parametrize("as_prefix", [True, False])
def test_to_an_assistant_i_is_the_user_and_you_is_the_assistant(as_prefix: bool) -> None:
    names = ["user", "assistant", "human", "ai"]
    talk = [
        record(number, f"{name}: A cello was bought.")
        if as_prefix
        else record(number, "A cello was bought.", speaker=name)
        for number, name in enumerate(names, 1)
    ]
    assert set(ids([Index.of(talk)], asked("Which cello did I buy?"), 2)) == {1, 3}
    assert set(ids([Index.of(talk)], asked("Which cello did you say was bought?"), 2)) == {2, 4}
    hits = search([Index.of(talk)], asked("Which cello did you tell me of?"), 4)
    assert [hit.components.speaker for hit in hits] == [0] * 4


def test_the_time_asked_for_leads_to_what_was_said_then() -> None:
    visits = [
        record(month, "We visited the lighthouse again.", at=START.replace(month=month))
        for month in range(1, 7)
    ]
    assert ids([Index.of(visits)], asked("Tell me about the lighthouse in April"))[0] == 4
    assert ids([Index.of(visits)], asked("Which lighthouse did we see on 2024-02-01?"))[0] == 2


def test_what_states_something_comes_before_what_only_asks() -> None:
    talk = [
        record(1, "Which telescope should be ordered for the school?"),
        record(2, "A telescope was ordered for the school."),
        record(3, "Lunch is at noon."),
    ]
    assert ids([Index.of(talk)], asked("telescope ordered for the school"))[:2] == [2, 1]


def test_nothing_in_common_is_not_found() -> None:
    assert ids([Index.of(PLAIN)], asked("photosynthesis")) == []
    memories = [replace(each, embedding=direction(number)) for number, each in enumerate(PLAIN)]
    assert ids([Index.of(memories)], asked("photosynthesis", direction(6))) == []


@pytest.mark.parametrize("text", ["", "🙂", "what was it?"])
def test_a_question_without_content_gives_the_newest(text: str) -> None:
    memories = [record(number, "kayak", at=START + timedelta(days=number)) for number in range(1, 5)]
    assert ids([Index.of(memories)], asked(text), 2) == [4, 3]


def test_emptiness_is_searched_too() -> None:
    assert search([], asked("kayak"), 10) == []
    assert search([Index.of([])], asked("kayak", direction(0)), 10) == []
    assert search([Index.of(PLAIN)], asked("kayak"), 0) == []
    wordless = Index.of([record(1, ""), record(2, "🙂"), record(3, "", vector=direction(0))])
    assert ids([wordless], asked("kayak", direction(0))) == [3]


def test_a_memory_that_is_not_embedded_yet_is_ranked_by_its_words() -> None:
    filler = [
        record(number, f"errand {number}", vector=direction(number % 6 + 1)) for number in range(10, 30)
    ]
    memories = [
        record(1, "The passport lies in the blue drawer."),
        record(2, "The passport lies in the blue drawer.", vector=direction(0)),
        *filler,
    ]
    hits = search([Index.of(memories)], asked("Where is the passport?", direction(0)), 5)
    assert [hit.record.id.int for hit in hits[:2]] == [2, 1]
    late = hits[1].components
    assert late.semantic is not None
    assert 0 < late.semantic <= late.lexical
    assert "semantic.text" not in late.arms


def test_a_vector_of_another_model_is_not_compared() -> None:
    memories = [replace(each, embedding=direction(number)) for number, each in enumerate(PLAIN)]
    hit = search([Index.of(memories)], asked("kayak", np.ones(3, np.float32)), 1)[0]
    assert (hit.record.id.int, hit.components.semantic) == (3, None)


def test_a_vector_with_holes_is_refused() -> None:
    with pytest.raises(ValueError, match="finite"):
        asked("kayak", np.array([np.nan, 1], np.float32))


def test_pinned_memories_lead_only_when_asked_to() -> None:
    memories = [*PLAIN, record(5, "Answer in Welsh.", pinned=True)]
    index = Index.of(memories)
    assert ids([index], asked("kayak")) == [3]
    assert ids([index], replace(asked("kayak"), pinned_first=True)) == [5, 3]


def test_partitions_are_ranked_together() -> None:
    own, shared = Index.of(PLAIN[:2]), Index.of(PLAIN[2:])
    assert ids([own, shared], asked("kayak appointment")) == ids(
        [Index.of(PLAIN)], asked("kayak appointment")
    )


def test_a_hit_explains_its_place() -> None:
    memories = [replace(each, embedding=direction(number)) for number, each in enumerate(PLAIN)]
    query = asked("Did she learn to kayak on 1 March 2024?", direction(2))
    hit = search([Index.of(memories)], query, 1)[0]
    why = hit.components
    assert why.matched_terms == ("kayak", "learn")
    assert {name: arm.rank for name, arm in why.arms.items()} == {
        "lexical.text": 1,
        "lexical.neighbours": 1,
        "lexical.session": 1,
        "semantic.text": 1,
        "semantic.neighbours": 1,
    }
    assert why.arms["semantic.text"].score == pytest.approx(1)
    assert (why.time, why.speaker) == (1, 0)
    weighted = 0.40 * why.relevance + 0.25 * why.recency + 0.20 * why.usefulness
    assert hit.score == pytest.approx(weighted + 0.10 * why.confidence + 0.05 * why.use)


@given(
    st.lists(records(), max_size=3), texts, st.none() | vectors, st.integers(0, 15), st.booleans(), st.data()
)
def test_order_is_total_and_does_not_depend_on_how_the_memories_came_in(
    scopes: list[list[Record]],
    text: str,
    vector: NDArray[np.float32] | None,
    limit: int,
    pinned: bool,
    data: st.DataObject,
) -> None:
    query = replace(asked(text, vector), pinned_first=pinned)
    shuffled = [data.draw(st.permutations(scope)) for scope in scopes]
    one = search([Index.of(scope) for scope in scopes], query, limit)
    other = search([Index.of(scope) for scope in shuffled], query, limit)
    assert len(one) <= limit
    assert [hit.score for hit in one] == pytest.approx([hit.score for hit in other], abs=1e-4)
    for kind in (True, False) if pinned else (None,):
        scores = [hit.score for hit in one if kind in (None, hit.record.pinned)]
        assert all(left >= right - 1e-5 for left, right in pairwise(scores))


def parts_of(hit: Hit) -> tuple[float, ...]:
    why = hit.components
    asked_of = (why.lexical, why.semantic or 0.0, why.stated, why.speaker, why.time)
    return (*asked_of, why.recency, why.usefulness, why.confidence, why.use)


@given(records(), texts, st.none() | vectors)
def test_the_explanation_is_all_that_a_score_is_made_of(
    scope: list[Record], text: str, vector: NDArray[np.float32] | None
) -> None:
    hits = search([Index.of(scope)], asked(text, vector), 100)
    for hit in hits:
        why = hit.components
        arms = [why.lexical] if why.semantic is None else [why.lexical, why.semantic]
        relevance = sum(arms) / len(arms) + 3 * why.stated + 0.75 * why.speaker + 2 * why.time
        assert why.relevance == pytest.approx(relevance, abs=1e-6)
        ranked = 0.40 * relevance + 0.25 * why.recency + 0.20 * why.usefulness
        assert hit.score == pytest.approx(ranked + 0.10 * why.confidence + 0.05 * why.use, abs=1e-6)
    for higher, lower in combinations(hits, 2):
        assert not all(one < other for one, other in zip(parts_of(higher), parts_of(lower), strict=True))


@given(records(), texts, st.none() | vectors, st.sampled_from([None, "one", "two"]), st.booleans())
def test_a_filter_lets_nothing_through_and_keeps_the_order_of_the_rest(
    scope: list[Record], text: str, vector: NDArray[np.float32] | None, session: str | None, pinned: bool
) -> None:
    index, query = Index.of(scope), replace(asked(text, vector), pinned_first=pinned)
    filtered = replace(query, session_id=session, where=lambda each: each.kind != "episodic")
    everything = search([index], query, 100)
    wanted = [
        hit.record.id
        for hit in everything
        if hit.record.kind != "episodic" and session in (None, hit.record.session_id)
    ]
    assert [hit.record.id for hit in search([index], filtered, 100)] == wanted
    assert [hit.record.id for hit in search([index], filtered, 1)] == wanted[:1]


def test_equal_memories_are_ordered_by_time_and_then_by_id() -> None:
    same = [record(number, "kayak", kind="of a new kind") for number in (3, 1, 2)]
    far = START - timedelta(days=20_000)
    index = Index.of([*same, record(4, "violin", at=far)])
    assert ids([index], asked("kayak")) == [1, 2, 3]
    assert [hit.record.id for hit in search([index], asked("kayak"), 2)] == [UUID(int=1), UUID(int=2)]
