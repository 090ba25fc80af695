"""Which provider serves a model."""

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase

from ibex.errors import Dialect, ErrorCode, IbexError
from ibex.proxy.providers.calling import Target, Upstream

_REMEMBERED = 4_096
_NAMES: Mapping[Dialect, str] = {"openai": "OpenAI", "anthropic": "Anthropic"}
_PATHS: Mapping[Dialect, str] = {"openai": "/v1/chat/completions", "anthropic": "/v1/messages"}


class Router:
    """Finds targets by alias, `provider/model`, exact name, then pattern; the first that fits wins.

    Only providers that speak the dialect of the call are looked at.

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
        self._exact = [
            Target(upstreams[name], model)
            for name in models
            for model in models[name]
            if not _is_pattern(model)
        ]
        self._patterns = [(p, name) for name in models for p in models[name] if _is_pattern(p)]
        self._models = models
        self._aliases = aliases
        self._known: dict[tuple[str, Dialect], tuple[Target, ...]] = {}

    def targets(self, model: str, dialect: Dialect = "openai") -> tuple[Target, ...]:
        """Where to get a model, in order of preference. Raises PROVIDER_NOT_CONFIGURED."""
        known = self._known.get((model, dialect))
        if known is None:
            known = self._find(model, dialect)
            # Clients choose the names, so they must not fill it for good.
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            self._known[model, dialect] = known
        return known

    def names(self, dialect: Dialect | None = None) -> list[str]:
        """What can be asked for by name: aliases, exact models, and each pattern behind its provider."""
        aliases = [alias for alias in self._aliases if dialect is None or self._targets_of(alias, dialect)]
        exact = [target.model for target in self._exact if _speaks(target.upstream, dialect)]
        patterns = [
            f"{name}/{pattern}" for pattern, name in self._patterns if _speaks(self._upstreams[name], dialect)
        ]
        return list(dict.fromkeys((*aliases, *exact, *patterns)))

    def exact_models(self) -> list[tuple[str, str]]:
        """Models that are declared by name, each with its owner: a provider, or `ibex` for an alias."""
        owners: dict[str, str] = {}
        for target in self._exact:
            owners.setdefault(target.model, target.upstream.name)
        return [*((alias, "ibex") for alias in self._aliases), *owners.items()]

    def dead_ends(self) -> list[tuple[str, str]]:
        """Aliases with a model that no provider serves, each with that model."""
        return [
            (alias, model)
            for alias, models in self._aliases.items()
            for model in models
            if self._find_one(model, None) is None
        ]

    def serves(self, provider: str, model: str) -> bool:
        """Whether a provider is declared to serve a model."""
        return any(model == pattern or fnmatchcase(model, pattern) for pattern in self._models[provider])

    def _find(self, model: str, dialect: Dialect) -> tuple[Target, ...]:
        targets = self._targets_of(model, dialect)
        if not targets:
            raise IbexError(
                ErrorCode.PROVIDER_NOT_CONFIGURED,
                self._nobody_serves(model, dialect),
                param="model",
                # The official SDKs repeat every 5xx unless they are told that it is no use.
                headers={"x-should-retry": "false"},
            )
        return targets

    def _targets_of(self, model: str, dialect: Dialect | None) -> tuple[Target, ...]:
        wanted = self._aliases.get(model, (model,))
        return tuple(target for name in wanted if (target := self._find_one(name, dialect)) is not None)

    def _nobody_serves(self, model: str, dialect: Dialect) -> str:
        elsewhere = self._targets_of(model, None)
        if elsewhere:
            upstream = elsewhere[0].upstream
            other = upstream.dialects[0]
            return (
                f"No provider serves the model `{model[:128]}` in {_NAMES[dialect]}'s dialect; "
                f"`{upstream.name}` does in {_NAMES[other]}'s: call {_PATHS[other]}."
            )
        existing = ", ".join(self.names(dialect)) or "none"
        return f"No provider serves the model `{model[:128]}`. There are: {existing}."

    def _find_one(self, model: str, dialect: Dialect | None) -> Target | None:
        provider, slash, rest = model.partition("/")
        upstream = self._upstreams.get(provider) if slash and rest else None
        if upstream is not None and _speaks(upstream, dialect) and self.serves(provider, rest):
            return Target(upstream, rest)
        for target in self._exact:
            if target.model == model and _speaks(target.upstream, dialect):
                return target
        for pattern, name in self._patterns:
            if fnmatchcase(model, pattern) and _speaks(self._upstreams[name], dialect):
                return Target(self._upstreams[name], model)
        return None


def _speaks(upstream: Upstream, dialect: Dialect | None) -> bool:
    """Whether a provider can be called in a dialect; None stands for any."""
    return dialect is None or dialect in upstream.dialects


def _is_pattern(model: str) -> bool:
    return any(character in model for character in "*?[")
