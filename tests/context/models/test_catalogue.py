"""A model is known by its name, however that is written."""

from datetime import date
from importlib.resources import files

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiktoken.model import encoding_name_for_model

from ibex.context.models import ModelCatalogue, ModelLimits
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
