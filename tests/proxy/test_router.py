"""A router finds what was declared, and nothing else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ibex.errors import IbexError
from ibex.proxy.providers.breaker import CircuitBreaker
from ibex.proxy.providers.calling import Upstream
from ibex.proxy.providers.mock import MockProvider
from ibex.proxy.providers.retry import RetryPolicy
from ibex.proxy.routing import Router, _is_pattern
from ibex.settings import TimeoutSettings

NAMES = st.sampled_from(["a", "b", "c", "a/b", "b/a", "x*", "a?", "[ab]", "*", "x/y/z", ""])
MODELS = NAMES | st.text(max_size=8)


def upstream(name: str) -> Upstream:
    return Upstream(
        name, MockProvider(name), TimeoutSettings(), RetryPolicy(0, 1.0, 1.0), CircuitBreaker(), ()
    )


def router(models: dict[str, list[str]], aliases: dict[str, list[str]] | None = None) -> Router:
    return Router({name: upstream(name) for name in models}, models, aliases or {})


@given(
    st.dictionaries(st.sampled_from(["a", "b", "x"]), st.lists(NAMES, max_size=4), min_size=1),
    st.dictionaries(NAMES, st.lists(NAMES, min_size=1, max_size=3), max_size=3),
    MODELS,
)
def test_whatever_is_found_is_declared(
    models: dict[str, list[str]], aliases: dict[str, list[str]], model: str
) -> None:
    routes = router(models, aliases)
    is_declared = model not in aliases and any(model in declared for declared in models.values())
    try:
        targets = routes.targets(model)
    except IbexError:
        assert not is_declared or _is_pattern(model)
        return
    assert targets
    assert routes.targets(model) == targets
    for target in targets:
        assert routes.serves(target.upstream.name, target.model)
        if model not in aliases:
            assert target.model == model or model == f"{target.upstream.name}/{target.model}"


def test_an_alias_wins_over_a_model_and_keeps_its_order() -> None:
    routes = router({"a": ["m", "n"], "b": ["m", "o"]}, {"m": ["b/m", "n", "nobody", "a/m"]})
    assert [(t.upstream.name, t.model) for t in routes.targets("m")] == [("b", "m"), ("a", "n"), ("a", "m")]


def test_an_alias_without_any_target_that_exists_is_refused() -> None:
    with pytest.raises(IbexError, match="No provider serves the model `x`"):
        router({"a": ["m"]}, {"x": ["y"]}).targets("x")


def test_names_nobody_serves_are_not_remembered() -> None:
    routes = router({"a": ["m"]})
    for number in range(100):
        with pytest.raises(IbexError):
            routes.targets(f"unknown-{number}")
    assert routes._known == {}


def test_what_is_remembered_does_not_grow_for_ever() -> None:
    routes = router({"a": ["*"]})
    for number in range(5_000):
        assert routes.targets(f"m{number}")[0].model == f"m{number}"
    assert len(routes._known) <= 4_096
    assert ("m4999", "openai") in routes._known
