"""What models can take and what they cost: windows, answer limits, the family of their tokenizer, prices."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
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
# A dollar for a million tokens is a thousand nanodollars for one.
_NANO_PER_MILLIONTH = 1_000


@dataclass(frozen=True, slots=True)
class ModelPrice:
    """US dollars per million tokens; `cached_input` is for what a cache of the provider's had."""

    input: float
    cached_input: float
    output: float


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


@dataclass(frozen=True, slots=True)
class _Known:
    """`price` is None when it is not known, or when it depends on who runs the model."""

    limits: ModelLimits
    price: ModelPrice | None


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid")

    context_window: int
    longest_answer: int | None = None
    family: TokenFamily
    input_price: float | None = None
    cached_input_price: float | None = None
    output_price: float | None = None


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
    known, unknown: what is known of the models that have a name here, and of any other.
    """

    def __init__(self, known: Mapping[str, _Known], unknown: _Known) -> None:
        self._known = known
        self._unknown = unknown
        self._remembered = lru_cache(_MOST_REMEMBERED)(self._look_up)

    @classmethod
    def of_package(cls, overrides: Mapping[str, ModelSettings]) -> Self:
        """The catalogue that comes with the package, with what the installation knows better.

        An override that has no window, or no price, leaves that of the package.
        """
        document = _Document.model_validate(orjson.loads(files(__package__).joinpath(_FILE).read_bytes()))
        known = {name: _known(entry) for name, entry in document.models.items()}
        unknown = replace(_known(document.unknown), limits=_limits(document.unknown, is_known=False))
        package = cls(known, unknown)
        better = {name.lower(): package._bettered(name, override) for name, override in overrides.items()}
        return cls({**known, **better}, unknown)

    def of(self, model: str) -> ModelLimits:
        return self._remembered(model).limits

    def price(self, model: str) -> ModelPrice | None:
        """None for a model whose price is not known."""
        return self._remembered(model).price

    def cost(self, model: str, input: int | None, cached: int | None, output: int | None) -> int | None:  # noqa: A002
        """What a call costs, in 1e-9 US dollars; None when its price or its tokens are not known.

        Parameters
        ----------
        input: all tokens that were read, those that a cache of the provider's had among them.
        cached: how many of them it had.
        output: None is nothing for models that write nothing, such as those of embeddings.
        """
        price = self.price(model)
        if price is None or input is None or (output is None and price.output > 0):
            return None
        from_cache = min(cached or 0, input)
        dollars_per_million = (
            (input - from_cache) * price.input
            + from_cache * price.cached_input
            + (output or 0) * price.output
        )
        return round(dollars_per_million * _NANO_PER_MILLIONTH)

    def _bettered(self, name: str, override: ModelSettings) -> _Known:
        package = self._look_up(name)
        limits = package.limits
        if override.context_window is not None:
            limits = ModelLimits(
                override.context_window, override.longest_answer, override.family, is_known=True
            )
        price = _price(override.input_price, override.cached_input_price, override.output_price)
        return _Known(limits, price or package.price)

    def _look_up(self, model: str) -> _Known:
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

    def _longest(self, name: str) -> _Known | None:
        for end in range(len(name), 0, -1):
            is_end = end == len(name) or _SUFFIX.match(name, end)
            if is_end and (found := self._known.get(name[:end])) is not None:
                return found
        return None


def _known(entry: _Entry) -> _Known:
    return _Known(
        _limits(entry, is_known=True),
        _price(entry.input_price, entry.cached_input_price, entry.output_price),
    )


def _limits(entry: _Entry, *, is_known: bool) -> ModelLimits:
    return ModelLimits(entry.context_window, entry.longest_answer, entry.family, is_known)


def _price(input: float | None, cached: float | None, output: float | None) -> ModelPrice | None:  # noqa: A002
    """Without one for what a cache had, that costs what everything else does."""
    if input is None or output is None:
        return None
    return ModelPrice(input, input if cached is None else cached, output)
