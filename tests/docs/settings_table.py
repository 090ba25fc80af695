"""What the tables of docs/configuration.md say of each setting, read from the models."""

import types
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import orjson
from annotated_types import Ge, Gt, Le
from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from ibex.settings import (
    ContextSettings,
    EmbedderSettings,
    LimitSettings,
    MemorySettings,
    ModelSettings,
    NotificationSettings,
    ProviderSettings,
    RetrySettings,
    Settings,
    TimeoutSettings,
)
from ibex.settings.loading import PREFIX
from ibex.settings.section import Section

# A section is written below this prefix. Only top-level settings and limits have variables of their own.
SECTIONS: Mapping[str, type[Section]] = {
    "": Settings,
    "embedder.": EmbedderSettings,
    "memory.": MemorySettings,
    "context.": ContextSettings,
    "context.models.NAME.": ModelSettings,
    "limits.": LimitSettings,
    "notifications.": NotificationSettings,
    "providers.NAME.": ProviderSettings,
    "providers.NAME.timeouts.": TimeoutSettings,
    "providers.NAME.retries.": RetrySettings,
}
_WITH_VARIABLES = ("", "embedder.", "memory.", "context.", "limits.", "notifications.")


@dataclass(frozen=True, slots=True)
class Row:
    """The cells of one setting that can be read from the code."""

    name: str
    variable: str | None
    type: str
    default: str


def rows() -> list[Row]:
    """Every setting, section after section, as the page lists them."""
    return [
        Row(f"`{prefix}{name}`", _variable(prefix, name), _type(field), _default(field))
        for prefix, section in SECTIONS.items()
        for name, field in section.model_fields.items()
        if not _is_section(field)
    ]


def _variable(prefix: str, name: str) -> str | None:
    if prefix not in _WITH_VARIABLES:
        return None
    return f"`{PREFIX}{prefix.replace('.', '_')}{name}`".upper()


def _is_section(field: FieldInfo) -> bool:
    return isinstance(field.annotation, type) and issubclass(field.annotation, Section)


def _type(field: FieldInfo) -> str:
    annotation: Any = field.annotation
    options = [option for option in get_args(annotation) if option is not types.NoneType]
    if get_origin(annotation) in {Union, types.UnionType} and len(options) == 1:
        annotation = options[0]
    if get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    if get_origin(annotation) is Literal:
        return ", ".join(f"`{value}`" for value in get_args(annotation))
    if isinstance(annotation, type) and annotation in {int, float}:
        return ("integer" if annotation is int else "number") + _bounds(field.metadata)
    if get_origin(annotation) is tuple and get_origin(get_args(annotation)[0]) is Annotated:
        element, *metadata = get_args(get_args(annotation)[0])
        if element is int:
            bounds = next(each.metadata for each in metadata if isinstance(each, FieldInfo))
            return "list of integers" + _bounds(bounds)
    return {
        bool: "`true` or `false`",
        str: "text",
        SecretStr: "secret text",
        Path: "path",
        tuple: "list of texts",
    }.get(get_origin(annotation) or annotation, "table")


def _bounds(metadata: list[Any]) -> str:
    least = next((f", {bound.ge}" for bound in metadata if isinstance(bound, Ge)), "")
    above = next((f", above {bound.gt}" for bound in metadata if isinstance(bound, Gt)), "")
    most = next((f" to {bound.le}" for bound in metadata if isinstance(bound, Le)), "")
    return f"{least or above}{most}"


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "needed"
    value = field.get_default(call_default_factory=True)
    if value is None:
        return "none"
    if isinstance(value, BaseModel | Mapping):
        return "`{}`"
    if isinstance(value, Path | str):
        return f"`{value}`"
    return f"`{orjson.dumps(value).decode()}`"
