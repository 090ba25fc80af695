"""An example of every body, put together from those of its parts."""

from collections.abc import Mapping
from typing import Any

_PLAIN = {
    "uuid": "01a20747-378d-70c7-a843-85766e82a988",
    "date-time": "2030-01-31T12:00:00Z",
    "string": "text",
    "integer": 1,
    "number": 1.0,
    "boolean": False,
}
_REFERENCE = "#/components/schemas/"


def restore_nulls(schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> None:
    """Put back into a schema's examples what the framework has taken out: fields that are null."""
    for example in schema.get("examples", ()):
        _restore_nulls(example, schema, schemas)


def _restore_nulls(example: Any, schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> None:
    schema = _resolved(schema, schemas)
    if isinstance(example, list):
        for item in example:
            _restore_nulls(item, schema.get("items", {}), schemas)
    elif isinstance(example, dict):
        for name, field in schema.get("properties", {}).items():
            _restore_nulls(example.get(name), field, schemas)
        example.update({name: None for name in schema.get("required", ()) if name not in example})


def _resolved(schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> Mapping[str, Any]:
    reference: str | None = schema.get("$ref")
    return schema if reference is None else schemas[reference.removeprefix(_REFERENCE)]


def example_of(schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> Any:
    """What a schema says of itself, or else one made from its parts and types."""
    schema = _resolved(schema, schemas)
    for given in (schema.get("examples"), schema.get("enum")):
        if given:
            return given[0]
    for name in ("const", "default"):
        if name in schema:
            return schema[name]
    if schema.get("type") == "array":
        return [example_of(schema["items"], schemas)]
    if "properties" in schema:
        return {name: example_of(field, schemas) for name, field in schema["properties"].items()}
    if "anyOf" in schema:
        return None if {"type": "null"} in schema["anyOf"] else example_of(schema["anyOf"][0], schemas)
    return _PLAIN.get(schema.get("format", schema.get("type")))
