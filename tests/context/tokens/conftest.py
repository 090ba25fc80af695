"""What counts tokens."""

import pytest

from ibex.context.models import ModelCatalogue
from ibex.context.tokens import TokenCounter, Vocabulary
from tests.vocabulary import vocabulary as loaded


@pytest.fixture(scope="session")
def vocabulary() -> Vocabulary:
    return loaded()


@pytest.fixture
def counter(vocabulary: Vocabulary) -> TokenCounter:
    return TokenCounter(ModelCatalogue.of_package({}), vocabulary)
