"""One value that fits a JSON schema, the same each time."""

from collections.abc import Mapping
from typing import Any

# Beyond what tools need, and well below the 254 levels that orjson writes; the two also end schemas that
# refer to themselves, once or many times over.
_DEEPEST = 16
_MOST_VALUES = 1_000


def example(name: str, schema: Mapping[str, Any]) -> Any:
    """A value for the property `name`; objects have their required properties only."""
    definitions = schema.get("$defs")
    return _Examples(definitions if isinstance(definitions, dict) else {}).value(name, schema, 0)


class _Examples:
    def __init__(self, definitions: Mapping[str, Any]) -> None:
        self._definitions = definitions
        self._left = _MOST_VALUES

    def value(self, name: str, schema: object, depth: int) -> Any:
        self._left -= 1
        if not isinstance(schema, dict) or depth > _DEEPEST:
            return name
        if "const" in schema and _is_scalar(schema["const"]):
            return schema["const"]
        options = schema.get("enum")
        if isinstance(options, list) and options and _is_scalar(options[0]):
            return options[0]
        if (other := self._elsewhere(schema)) is not None:
            return self.value(name, other, depth + 1)
        match _type(schema):
            case "integer":
                return 1
            case "number":
                return 1.5
            case "boolean":
                return True
            case "null":
                return None
            case "array":
                items = schema.get("items")
                return [self.value(name, items, depth + 1)] if isinstance(items, dict) else []
            case "object":
                return self._object(schema, depth)
        return name

    def _object(self, schema: Mapping[str, Any], depth: int) -> dict[str, Any]:
        required, properties = schema.get("required"), schema.get("properties")
        if not isinstance(required, list) or depth == _DEEPEST:
            return {}
        known = properties if isinstance(properties, dict) else {}
        made: dict[str, Any] = {}
        for name in required:
            if self._left <= 0:
                break
            if isinstance(name, str):
                made[name] = self.value(name, known.get(name), depth + 1)
        return made

    def _elsewhere(self, schema: Mapping[str, Any]) -> object:
        """The schema that stands for this one: what it refers to, or its first alternative."""
        reference = schema.get("$ref")
        if isinstance(reference, str):
            return self._definitions.get(reference.removeprefix("#/$defs/"))
        alternatives = schema.get("anyOf") or schema.get("oneOf")
        return alternatives[0] if isinstance(alternatives, list) and alternatives else None


def _type(schema: Mapping[str, Any]) -> object:
    stated = schema.get("type")
    if isinstance(stated, list):
        stated = next((kind for kind in stated if kind != "null"), "null")
    return stated or ("object" if "properties" in schema else None)


def _is_scalar(value: object) -> bool:
    return value is None or isinstance(value, str | int | float)
