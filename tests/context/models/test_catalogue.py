"""A model is known by its name, however that is written."""

from datetime import date
from importlib.resources import files

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from tiktoken.model import encoding_name_for_model

from ibex.context.models import ModelCatalogue, ModelLimits, ModelPrice
from ibex.settings import ModelSettings

CATALOGUE = ModelCatalogue.of_package({})
DOCUMENT = orjson.loads(files("ibex.context.models").joinpath("catalogue.json").read_bytes())


@pytest.mark.parametrize(
    ("model", "same"),
    [
        ("gpt-4o-2024-11-20", "gpt-4o"),
        ("openai/gpt-4o", "gpt-4o"),
        ("openrouter/openai/GPT-4o-2024-08-06", "gpt-4o"),
        ("ft:gpt-4o-mini-2024-07-18:acme:support:7p4lURel", "gpt-4o-mini"),
        ("azure/gpt-4.1-mini", "gpt-4.1-mini"),
        ("claude-sonnet-4@20250514", "claude-sonnet-4"),
        ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", "claude-sonnet-4-5"),
        ("anthropic/claude-opus-4.6", "claude-opus-4-6"),
        ("models/gemini-2.5-pro", "gemini-2.5-pro"),
        ("llama3.1:8b-instruct-q4_K_M", "llama3.1"),
        ("meta-llama/Llama-3.1-8B-Instruct", "llama-3.1"),
        ("deepseek-ai/DeepSeek-V3.2-Exp", "deepseek-v3.2"),
        ("gpt-oss:20b", "gpt-oss"),
    ],
)
def test_providers_dates_and_sizes_are_passed_over(model: str, same: str) -> None:
    assert CATALOGUE.of(model) == CATALOGUE.of(same)
    assert CATALOGUE.of(model).is_known


def test_the_longest_name_decides() -> None:
    assert CATALOGUE.of("gpt-4").context_window == 8_192
    assert CATALOGUE.of("gpt-4-turbo-2024-04-09").context_window == 128_000
    assert CATALOGUE.of("gpt-4.1").context_window == 1_047_576
    assert CATALOGUE.of("gpt-4o-2024-05-13").longest_answer == 4_096


@pytest.mark.parametrize(
    "model", ["gpt-4.9", "gpt-4q", "o11", "my-gpt-4o", "", "/", "///", "gpt", "text-embedding"]
)
def test_what_only_looks_like_a_known_model_is_not_known(model: str) -> None:
    limits = CATALOGUE.of(model)

    assert limits == ModelLimits(32_768, None, "other", is_known=False)


@given(st.text())
def test_no_name_is_too_strange(model: str) -> None:
    assert CATALOGUE.of(model).context_window > 0


def test_an_installation_knows_its_models_better() -> None:
    catalogue = ModelCatalogue.of_package(
        {
            "gpt-4o": ModelSettings(context_window=64_000, family="o200k"),
            "House/Model:1.0": ModelSettings(context_window=4_096, longest_answer=512),
        }
    )

    assert catalogue.of("openai/gpt-4o-2024-11-20").context_window == 64_000
    assert catalogue.of("house/model:1.0") == ModelLimits(4_096, 512, "other", is_known=True)
    assert catalogue.of("gpt-4o-mini").context_window == 128_000


def test_a_call_costs_what_its_tokens_cost() -> None:
    """In 1e-9 US dollars; gpt-4o is 2.50, 1.25 and 10 dollars for a million."""
    assert CATALOGUE.price("openai/gpt-4o-2024-11-20") == ModelPrice(2.5, 1.25, 10)
    assert CATALOGUE.cost("gpt-4o", 1_000, None, 100) == 2_500_000 + 1_000_000
    assert CATALOGUE.cost("gpt-4o", 1_000, 800, 100) == 500_000 + 1_000_000 + 1_000_000
    assert CATALOGUE.cost("gpt-4o", 100, 800, 0) == 125_000
    assert CATALOGUE.cost("claude-haiku-4-5", 1_000_000, 1_000_000, 0) == 100_000_000
    assert CATALOGUE.cost("text-embedding-3-small", 1_000, None, None) == 20_000


@pytest.mark.parametrize(
    ("model", "read", "written"),
    [("gpt-oss:20b", 10, 10), ("nobody-knows", 10, 10), ("gpt-4o", None, 10), ("gpt-4o", 10, None)],
)
def test_a_cost_that_is_not_known_is_none(model: str, read: int | None, written: int | None) -> None:
    assert CATALOGUE.cost(model, read, None, written) is None


def test_an_installation_knows_its_prices_better_and_leaves_the_rest() -> None:
    catalogue = ModelCatalogue.of_package(
        {
            "gpt-4o": ModelSettings(input_price=2.0, output_price=8.0),
            "gpt-4o-mini": ModelSettings(context_window=64_000),
            "house/free": ModelSettings(input_price=0, cached_input_price=0, output_price=0),
        }
    )

    assert catalogue.price("gpt-4o-2024-11-20") == ModelPrice(2.0, 2.0, 8.0)
    assert catalogue.of("gpt-4o") == CATALOGUE.of("gpt-4o")
    assert catalogue.price("gpt-4o-mini") == CATALOGUE.price("gpt-4o-mini")
    assert catalogue.of("gpt-4o-mini").context_window == 64_000
    assert catalogue.cost("house/free", 100, 0, 100) == 0
    assert not catalogue.of("house/free").is_known


@given(st.integers(0, 1 << 31), st.integers(0, 1 << 31), st.integers(0, 1 << 31), st.integers(0, 1_000))
def test_more_tokens_never_cost_less_and_a_cache_never_costs_more(
    read: int, cached: int, written: int, more: int
) -> None:
    cost = CATALOGUE.cost("gpt-4o", read, cached, written)
    assert cost is not None
    assert cost >= 0
    assert (CATALOGUE.cost("gpt-4o", read + more, cached, written + more) or 0) >= cost
    assert (CATALOGUE.cost("gpt-4o", read, None, written) or 0) >= cost


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"longest_answer": 100, "input_price": 1, "output_price": 1},
        {"input_price": 1},
        {"context_window": 100, "cached_input_price": 1},
        {"input_price": -1, "output_price": 1},
    ],
)
def test_a_half_told_model_is_refused(fields: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        ModelSettings.model_validate(fields)


def test_every_price_is_whole_and_makes_sense() -> None:
    for name, entry in DOCUMENT["models"].items():
        price = CATALOGUE.price(name)
        assert (price is None) == ("input_price" not in entry), name
        if price is not None:
            assert 0 <= price.cached_input <= price.input <= 200, name
            assert 0 <= price.output <= 1_000, name


def test_every_entry_can_be_found_and_makes_sense() -> None:
    for name, entry in DOCUMENT["models"].items():
        limits = CATALOGUE.of(name)
        assert (limits.context_window, limits.family) == (entry["context_window"], entry["family"])
        assert limits.is_known
        assert name == name.lower()
        assert limits.longest_answer is None or limits.longest_answer <= limits.context_window


def test_only_what_tiktoken_counts_with_o200k_is_counted_so() -> None:
    for name, entry in DOCUMENT["models"].items():
        try:
            encoding = encoding_name_for_model(name)
        except KeyError:
            continue
        assert (entry["family"] == "o200k") == encoding.startswith("o200k"), name


def test_the_catalogue_says_of_when_it_is() -> None:
    assert date.fromisoformat(DOCUMENT["as_of"]) >= date(2026, 11, 1)
    assert DOCUMENT["source"]
