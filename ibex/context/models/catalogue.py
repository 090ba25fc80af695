"""What models can take: context windows, answer limits and the family of their tokenizer."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Self

import orjson
from pydantic import BaseModel, ConfigDict

from ibex.settings import ModelSettings, TokenFamily

_FILE = "catalogue.json"
# Fine-tuned models of OpenAI, regions and vendors of Bedrock (`us.anthropic.claude-…`), paths of Google.
_PREFIX = re.compile(r"^(?:ft:|models/|(?:us|eu|apac|jp|au|ca|global)\.|[a-z0-9]+\.(?=[a-z]))")
# What may follow a name: a date, a size, a tag. A letter, a digit or a point would make it another model.
_SUFFIX = re.compile(r"[-@:_ ]")
_MOST_REMEMBERED = 1_024


@dataclass(frozen=True, slots=True)
class ModelLimits:
    """What one model can take, in tokens.

    Parameters
    ----------
    context_window: of prompt and answer together.
    longest_answer: None when it is as long as the window has room.
    is_known: whether the catalogue has the model. The window of one that it has not is a careful guess.
    """

    context_window: int
    longest_answer: int | None
    family: TokenFamily
    is_known: bool


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid")

    context_window: int
    longest_answer: int | None = None
    family: TokenFamily


class _Document(BaseModel):
    model_config = ConfigDict(extra="forbid")

    as_of: str
    source: str
    unknown: _Entry
    models: dict[str, _Entry]


class ModelCatalogue:
    """Models by name.

    The longest name of the catalogue that a model's begins with stands for it, if what follows is a date, a
    size or the like. `provider/` before a name is passed over.

    Parameters
    ----------
    overrides: limits by name, which go before those of the package.
    """

    def __init__(self, known: Mapping[str, ModelLimits], unknown: ModelLimits) -> None:
        self._known = known
        self._unknown = unknown
        self._remembered = lru_cache(_MOST_REMEMBERED)(self._look_up)

    @classmethod
    def of_package(cls, overrides: Mapping[str, ModelSettings]) -> Self:
        """The catalogue that comes with the package, with what the installation knows better."""
        document = _Document.model_validate(orjson.loads(files(__package__).joinpath(_FILE).read_bytes()))
        known = {name: _limits(entry, is_known=True) for name, entry in document.models.items()}
        known |= {name.lower(): _limits(entry, is_known=True) for name, entry in overrides.items()}
        return cls(known, _limits(document.unknown, is_known=False))

    def of(self, model: str) -> ModelLimits:
        return self._remembered(model)

    def _look_up(self, model: str) -> ModelLimits:
        name = model.strip().lower()
        while True:
            found = self._longest(name)
            if found is not None:
                return found
            shorter = _PREFIX.sub("", name, count=1)
            if shorter == name:
                _, _, shorter = name.partition("/")
            if not shorter:
                return self._unknown
            name = shorter

    def _longest(self, name: str) -> ModelLimits | None:
        for end in range(len(name), 0, -1):
            is_end = end == len(name) or _SUFFIX.match(name, end)
            if is_end and (found := self._known.get(name[:end])) is not None:
                return found
        return None


def _limits(entry: _Entry | ModelSettings, *, is_known: bool) -> ModelLimits:
    return ModelLimits(entry.context_window, entry.longest_answer, entry.family, is_known)
