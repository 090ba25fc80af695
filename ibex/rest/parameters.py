"""What stands in a path and behind the question mark."""

from collections.abc import Mapping
from urllib.parse import parse_qsl

from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from pydantic import BaseModel

from ibex.errors import ErrorCode, FieldError, IbexError
from ibex.http import Scope


def check(route: APIRoute, scope: Scope) -> None:
    """Raises VALIDATION_ERROR for what the route does not know, for what is given twice, and for characters
    that no name has.

    A parameter that is ignored is worse than one that is refused: `?state=` misspelt lists every token.
    """
    known = query_names(route.dependant)
    seen: set[str] = set()
    for name, value in parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True):
        if name not in known:
            there_are = ", ".join(f"`{one}`" for one in sorted(known)) or "none"
            raise _invalid(name[:64], f"There is no such parameter; there are: {there_are}")
        if name in seen:
            raise _invalid(name, "Given more than once")
        seen.add(name)
        _check_text(name, value)
    _, inner = route.matches(scope)
    parameters: Mapping[str, str] = inner.get("path_params", {})
    for name, value in parameters.items():
        _check_text(name, value)


def query_names(dependant: Dependant) -> set[str]:
    """The query parameters of a route, also those that its dependencies take."""
    names = set()
    for field in dependant.query_params:
        model = field.field_info.annotation
        if isinstance(model, type) and issubclass(model, BaseModel):
            names |= set(model.model_fields)
        else:
            names.add(field.alias)
    return names.union(*(query_names(dependency) for dependency in dependant.dependencies))


def _check_text(name: str, value: str) -> None:
    if not value.isprintable():
        raise _invalid(name, "Has a character that cannot be printed")


def _invalid(name: str, message: str) -> IbexError:
    return IbexError(
        ErrorCode.VALIDATION_ERROR,
        f"`{name}`: {message}.",
        param=name,
        field_errors=[FieldError(name, message)],
    )
