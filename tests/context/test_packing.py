"""What fits is told, as much of it as is worth telling; nothing twice, and never a token too many."""

import random
from collections.abc import Sequence
from itertools import combinations
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from ibex.context.packing import Candidate, Packing, PackingRules, pack
from ibex.context.redundancy import terms

# Whatever is worth something is told for itself alone.
APART = PackingRules(penalty=0.0, duplicate=2.0)
KINDS = ("factual", "episodic", "preference")
_WORDS = ("garden", "river", "dance", "piano", "autumn", "market", "tuesday", "4", "not")


def candidate(
    number: int,
    value: float = 1.0,
    tokens: int = 10,
    kind: str = "episodic",
    text: str = "",
    *,
    pinned: bool = False,
) -> Candidate:
    return Candidate(UUID(int=number), kind, value, tokens, pinned, terms(text))


@st.composite
def candidates(draw: st.DrawFn, *, most: int = 25) -> Sequence[Candidate]:
    count = draw(st.integers(0, most))
    return [
        Candidate(
            id=UUID(int=number),
            kind=draw(st.sampled_from(KINDS)),
            value=draw(st.floats(0, 10)),
            tokens=draw(st.integers(0, 60)),
            pinned=draw(st.integers(0, 9)) == 0,
            terms=frozenset(draw(st.sets(st.sampled_from(_WORDS)))),
        )
        for number in range(count)
    ]


budgets = st.integers(0, 400)
limits = st.dictionaries(st.sampled_from(KINDS), st.integers(0, 200))
rules = st.builds(
    PackingRules,
    floors=limits,
    ceilings=limits,
    penalty=st.floats(0, 1),
    similar=st.floats(0.1, 0.6),
    duplicate=st.floats(0.6, 1.0),
)


def tokens(packing: Packing, of: Sequence[Candidate], kind: str | None = None) -> int:
    return sum(of[at].tokens for at in packing.chosen if kind in (None, of[at].kind))


@given(candidates(), budgets, rules)
def test_the_budget_is_kept_to_the_token(of: Sequence[Candidate], budget: int, rules: PackingRules) -> None:
    packing = pack(of, budget, rules)

    assert packing.tokens == tokens(packing, of) <= budget


@given(candidates(), budgets, rules)
def test_every_candidate_is_told_or_left_out_for_a_reason(
    of: Sequence[Candidate], budget: int, rules: PackingRules
) -> None:
    packing = pack(of, budget, rules)

    assert sorted([*packing.chosen, *packing.left_out]) == list(range(len(of)))


@given(candidates(), budgets, rules, st.randoms(use_true_random=False))
def test_the_same_candidates_make_the_same_packing_in_any_order(
    of: Sequence[Candidate], budget: int, rules: PackingRules, chance: random.Random
) -> None:
    shuffled = list(of)
    chance.shuffle(shuffled)

    told = [of[at].id for at in pack(of, budget, rules).chosen]
    told_of_shuffled = [shuffled[at].id for at in pack(shuffled, budget, rules).chosen]

    assert told == told_of_shuffled


@given(candidates(), budgets)
def test_it_is_never_worth_less_than_taking_the_best_that_still_fits(
    of: Sequence[Candidate], budget: int
) -> None:
    of = [Candidate(each.id, each.kind, each.value, each.tokens) for each in of]
    for worth in (lambda each: -each.value, lambda each: -each.value / max(each.tokens, 1)):
        left, value = budget, 0.0
        for each in sorted(of, key=worth):
            if each.tokens <= left:
                left, value = left - each.tokens, value + each.value

        assert pack(of, budget, APART).value >= value - 1e-6


@given(candidates(most=9), budgets, limits)
def test_no_other_choice_is_worth_more(
    of: Sequence[Candidate], budget: int, ceilings: dict[str, int]
) -> None:
    of = [Candidate(each.id, each.kind, each.value, each.tokens, terms=each.terms) for each in of]
    best = 0.0
    for size in range(len(of) + 1):
        for choice in combinations(of, size):
            fits = sum(each.tokens for each in choice) <= budget and all(
                sum(each.tokens for each in choice if each.kind == kind) <= most
                for kind, most in ceilings.items()
            )
            if fits:
                best = max(best, sum(each.value for each in choice))

    packed = pack(of, budget, PackingRules(ceilings=ceilings, penalty=0.0, duplicate=2.0))

    assert abs(packed.value - best) < 1e-6


@given(candidates(), budgets, st.integers(1, 100), limits)
def test_more_room_never_costs_value(
    of: Sequence[Candidate], budget: int, more: int, ceilings: dict[str, int]
) -> None:
    of = [Candidate(each.id, each.kind, each.value, each.tokens, terms=each.terms) for each in of]
    rules = PackingRules(ceilings=ceilings)

    assert pack(of, budget + more, rules).value >= pack(of, budget, rules).value - 1e-9


@given(candidates(), budgets, rules)
def test_what_is_pinned_is_packed_as_if_there_were_nothing_else(
    of: Sequence[Candidate], budget: int, rules: PackingRules
) -> None:
    pinned = [each for each in of if each.pinned]

    told = {of[at].id for at in pack(of, budget, rules).chosen if of[at].pinned}
    alone = {
        pinned[at].id
        for at in pack(
            pinned,
            budget,
            PackingRules(penalty=rules.penalty, similar=rules.similar, duplicate=rules.duplicate),
        ).chosen
    }

    assert alone <= told


@given(candidates(), budgets, limits)
def test_no_kind_has_more_than_its_ceiling(
    of: Sequence[Candidate], budget: int, ceilings: dict[str, int]
) -> None:
    of = [Candidate(each.id, each.kind, each.value, each.tokens, terms=each.terms) for each in of]
    packing = pack(of, budget, PackingRules(ceilings=ceilings))

    for kind, most in ceilings.items():
        assert tokens(packing, of, kind) <= most


def test_what_is_pinned_goes_before_what_is_worth_more() -> None:
    packing = pack([candidate(1, value=9.0), candidate(2, value=0.1, pinned=True)], 10, PackingRules())

    assert packing.chosen == [1]
    assert packing.left_out == {0: "budget"}


def test_what_is_pinned_may_go_beyond_the_ceiling_of_its_kind_and_counts_against_it() -> None:
    of = [candidate(1, pinned=True), candidate(2, pinned=True), candidate(3)]

    packing = pack(of, 100, PackingRules(ceilings={"episodic": 15}))

    assert packing.chosen == [0, 1]
    assert packing.left_out == {2: "ceiling"}


def test_a_floor_keeps_room_for_a_kind_that_is_worth_less() -> None:
    of = [*(candidate(number, value=5.0) for number in range(4)), candidate(9, kind="preference", value=0.1)]

    assert pack(of, 40, PackingRules()).chosen == [0, 1, 2, 3]
    assert 4 in pack(of, 40, PackingRules(floors={"preference": 10})).chosen


def test_a_floor_is_not_filled_with_nothing() -> None:
    of = [candidate(number) for number in range(4)]

    assert len(pack(of, 40, PackingRules(floors={"preference": 30})).chosen) == 4


def test_of_what_says_the_same_only_the_best_is_told() -> None:
    said = "She moved to Lisbon last spring with her two cats"
    of = [candidate(1, 1.0, text=said), candidate(2, 2.0, text=said.upper()), candidate(3, 0.1, text="Rain")]

    packing = pack(of, 100, PackingRules())

    assert packing.chosen == [1, 2]
    assert packing.left_out == {0: "duplicate"}


def test_of_what_says_the_same_the_one_that_fits_is_told() -> None:
    said = "She moved to Lisbon last spring with her two cats"
    of = [candidate(1, 2.0, tokens=50, text=said), candidate(2, 1.0, tokens=20, text=said)]

    packing = pack(of, 30, PackingRules())

    assert packing.chosen == [1]
    assert packing.left_out == {0: "duplicate"}
    assert packing.value == 1.0


def test_a_number_or_a_negation_makes_it_something_else() -> None:
    said = "her daughter takes the early train from Porto to school every single weekday at 7 sharp"
    of = [
        candidate(1, text=said),
        candidate(2, text=said.replace("7", "8")),
        candidate(3, text=said.replace("takes", "never takes")),
    ]

    assert pack(of, 100, PackingRules()).left_out == {}


def test_long_texts_are_compared_by_a_part_of_their_words_that_is_the_same_for_all() -> None:
    words = [f"{first}{second}{first}" for first in "abcdefghijklmnop" for second in "bcdfghjklmnprstvw"]
    first, second = " ".join(words), " ".join(reversed(words[:-5]))
    of = [candidate(1, text=first), candidate(2, text=second), candidate(3, text=" ".join(words[::3]))]

    packing = pack(of, 100, PackingRules())

    assert max(len(each.terms) for each in of) == 64
    assert packing.left_out == {1: "duplicate"}


def test_terms_are_words_numbers_and_negations_in_any_script() -> None:
    assert terms("It's NOT 42 of them; don't go to Porto") == {"not", "42", "them", "don't", "porto"}
    assert terms("Ola, n\u00e3o vai ao Porto") == {"ola", "n\u00e3o", "vai", "porto"}
    assert terms("猫が2匹") == {"猫", "が", "2", "匹"}
    assert terms(" ,.! ") == frozenset()


def test_what_nearly_says_the_same_gives_way_to_something_new() -> None:
    of = [
        candidate(1, 1.0, text="the garden behind the old house has roses and tulips"),
        candidate(2, 0.9, text="the garden behind the old house has tulips and lilacs"),
        candidate(3, 0.8, text="piano lessons begin again on tuesday"),
    ]

    assert pack(of, 20, APART).chosen == [0, 1]
    assert pack(of, 20, PackingRules()).chosen == [0, 2]


def test_what_is_worth_nothing_is_told_when_there_is_room_and_displaces_nothing() -> None:
    of = [candidate(1, 0.0, tokens=10), candidate(2, 0.5, tokens=10)]

    assert pack(of, 20, PackingRules()).chosen == [1, 0]
    assert pack(of, 10, PackingRules()).chosen == [1]


def test_without_room_nothing_is_told() -> None:
    assert pack([candidate(1)], 0, PackingRules()).left_out == {0: "budget"}
    assert pack([candidate(1)], -5, PackingRules()).chosen == []
    assert pack([], 100, PackingRules()) == Packing([], {}, 0, 0)
