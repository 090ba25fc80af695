"""The cache of look-ups, against the plainest thing that could do the same."""

from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from ibex.auth import CHAT, Change, Principal
from ibex.auth.changes.change import Kind
from ibex.auth.validation.cache import Entry, JudgementCache, Key
from ibex.auth.validation.judgement import Judgement

IDS = st.integers(1, 4).map(lambda number: UUID(int=number))
JUDGEMENTS = st.builds(
    Judgement,
    st.builds(
        Principal,
        org_id=IDS,
        token_id=IDS,
        permissions=st.just(CHAT),
        user_id=st.none() | IDS,
        bound_agent_id=st.none() | IDS,
    ),
    st.none(),
    st.none(),
    st.none(),
    st.none() | IDS,
)
KEYS = st.tuples(st.binary(min_size=1, max_size=1), st.none() | IDS | st.sampled_from(["helper", "other"]))
CHANGES = st.builds(
    Change,
    st.sampled_from(["token", "agent", "user", "organization", "credentials", "limits"]),
    IDS,
)
STEPS = st.lists(st.tuples(KEYS, JUDGEMENTS) | KEYS.map(lambda key: (key, None)) | CHANGES, max_size=40)
TOUCHING: frozenset[Kind] = frozenset({"token", "agent", "user", "organization"})


@given(STEPS, st.integers(1, 5))
def test_it_keeps_the_newest_of_what_no_change_has_touched(
    steps: list[tuple[Key, Judgement | None] | Change], capacity: int
) -> None:
    cache, model = JudgementCache(capacity), dict[Key, Judgement]()
    for step in steps:
        if isinstance(step, Change):
            cache.drop_touched(step)
            touches = step.kind in TOUCHING
            model = {k: j for k, j in model.items() if not (touches and step.id in j.subjects)}
        else:
            key, judgement = step
            model.pop(key, None)
            if judgement is None:
                cache.drop(key)
            else:
                cache.put(key, Entry(judgement, 0.0, 1.0))
                model[key] = judgement
                model = dict(list(model.items())[-capacity:])
        assert len(cache) == len(model)
        assert {key: entry.judgement for key in model if (entry := cache.get(key))} == model
        # What is found by whom it is about is exactly what is there, or memory would grow.
        subjects = {subject for judgement in model.values() for subject in judgement.subjects}
        assert set(cache._keys) == subjects
        assert all(keys <= model.keys() and keys for keys in cache._keys.values())
    cache.clear()
    assert (len(cache), cache._keys) == (0, {})
