"""Which provider serves a model."""

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase

from ibex.errors import ErrorCode, IbexError
from ibex.proxy.providers.calling import Target, Upstream

_REMEMBERED = 4_096


class Router:
    """Finds targets by alias, `provider/model`, exact name, then pattern; the first that fits wins.

    Parameters
    ----------
    upstreams: providers by name, in the order they were declared.
    models: what each provider serves: exact names and patterns with `*`, `?` or `[…]`.
    aliases: names of our own, each for one or more models to be tried in turn.
    """

    def __init__(
        self,
        upstreams: Mapping[str, Upstream],
        models: Mapping[str, Sequence[str]],
        aliases: Mapping[str, Sequence[str]],
    ) -> None:
        self._upstreams = upstreams
        self._exact = {
            model: Target(upstreams[name], model)
            for name in reversed(list(models))
            for model in models[name]
            if not _is_pattern(model)
        }
        self._patterns = [(p, name) for name in models for p in models[name] if _is_pattern(p)]
        self._models = models
        self._aliases = aliases
        self._known: dict[str, tuple[Target, ...]] = {}

    def targets(self, model: str) -> tuple[Target, ...]:
        """Where to get a model, in order of preference. Raises PROVIDER_NOT_CONFIGURED."""
        known = self._known.get(model)
        if known is None:
            known = self._find(model)
            # Clients choose the names, so they must not fill it for good.
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            self._known[model] = known
        return known

    def names(self) -> list[str]:
        """What can be asked for by name: aliases, exact models, and each pattern behind its provider."""
        patterns = [f"{provider}/{pattern}" for pattern, provider in self._patterns]
        return list(dict.fromkeys((*self._aliases, *self._exact, *patterns)))

    def exact_models(self) -> list[tuple[str, str]]:
        """Models that are declared by name, each with its owner: a provider, or `ibex` for an alias."""
        return [
            *((alias, "ibex") for alias in self._aliases),
            *((model, target.upstream.name) for model, target in self._exact.items()),
        ]

    def dead_ends(self) -> list[tuple[str, str]]:
        """Aliases with a model that no provider serves, each with that model."""
        return [
            (alias, model)
            for alias, models in self._aliases.items()
            for model in models
            if self._find_one(model) is None
        ]

    def serves(self, provider: str, model: str) -> bool:
        """Whether a provider is declared to serve a model."""
        return any(model == pattern or fnmatchcase(model, pattern) for pattern in self._models[provider])

    def _find(self, model: str) -> tuple[Target, ...]:
        wanted = self._aliases.get(model, (model,))
        targets = tuple(target for name in wanted if (target := self._find_one(name)) is not None)
        if not targets:
            existing = ", ".join(self.names()) or "none"
            raise IbexError(
                ErrorCode.PROVIDER_NOT_CONFIGURED,
                f"No provider serves the model `{model[:128]}`. There are: {existing}.",
                param="model",
                # The official SDKs repeat every 5xx unless they are told that it is no use.
                headers={"x-should-retry": "false"},
            )
        return targets

    def _find_one(self, model: str) -> Target | None:
        provider, slash, rest = model.partition("/")
        if slash and rest and provider in self._upstreams and self.serves(provider, rest):
            return Target(self._upstreams[provider], rest)
        if model in self._exact:
            return self._exact[model]
        for pattern, name in self._patterns:
            if fnmatchcase(model, pattern):
                return Target(self._upstreams[name], model)
        return None


def _is_pattern(model: str) -> bool:
    return any(character in model for character in "*?[")
