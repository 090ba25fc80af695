"""Every route of the running service, and a request that its owner could make."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from tests.service import Service

# Whoever adds a route without a token adds it here, and so says that it tells nobody anything.
PUBLIC = re.compile(r"/(health|ready|metrics|openapi\.json|errors/[A-Z_]+)")
_PLACEHOLDER = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True, slots=True)
class Route:
    """One method of one path. `needs` are the permissions that it asks for, `body` is the example that the
    description gives, `parameters` are the names of what can stand in the query."""

    method: str
    path: str
    needs: tuple[str, ...]
    body: Any = field(repr=False, default=None)
    parameters: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def placeholders(self) -> list[str]:
        return _PLACEHOLDER.findall(self.path)

    def url(self, ids: Mapping[str, str]) -> str:
        return _PLACEHOLDER.sub(lambda match: ids[match[1]], self.path)


def protected(service: Service, document: Mapping[str, Any]) -> Iterator[Route]:
    """All that is not public, as the application itself lists it; the description must know each of them."""
    for path, methods in service.edge.paths.items():
        if PUBLIC.fullmatch(path):
            continue
        for method in sorted(set(methods) - {"HEAD"}):
            described = document["paths"].get(path, {}).get(method.lower())
            assert described is not None, f"{method} {path} is not in /openapi.json"
            assert "x-permissions" in described, f"{method} {path} does not say what it needs"
            yield Route(
                method,
                path,
                tuple(described["x-permissions"]),
                _example(described, document),
                tuple(p["name"] for p in described.get("parameters", ()) if p["in"] == "query"),
            )


def with_ids(value: Any, ids: Mapping[str, str], name: str = "") -> Any:
    """A body in which everything that is named like an id, or is one, has become another tenant's."""
    if isinstance(value, dict):
        return {key: with_ids(item, ids, key) for key, item in value.items()}
    if isinstance(value, list):
        return [with_ids(item, ids, name) for item in value]
    if name in ids:
        return ids[name]
    if name.endswith("_id") or (isinstance(value, str) and _is_uuid(value)):
        return ids.get(name, ids["agent_id"])
    return value


def _example(operation: Mapping[str, Any], document: Mapping[str, Any]) -> Any:
    content = operation.get("requestBody", {}).get("content", {}).get("application/json")
    if content is None:
        return None
    if "example" in content:
        return content["example"]
    schema = content["schema"]
    if "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    examples = schema.get("examples")
    assert examples, f"no example of a body for {operation.get('operationId')}"
    return examples[0]


def _is_uuid(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True
