"""The description of the interface is valid, complete, and says what is so."""

from collections.abc import Iterator, Mapping
from typing import Any

import httpx2
import pytest_asyncio
from jsonschema_rs import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from ibex.auth import Permission
from tests.service import Service

_METHODS = {"GET", "POST", "PUT", "PATCH", "DELETE"}


@pytest_asyncio.fixture
async def document(service: Service) -> dict[str, Any]:
    """Served to anybody."""
    async with httpx2.AsyncClient(base_url=service.url) as client:
        answer = await client.get("/openapi.json")
    assert answer.status_code == 200
    described: dict[str, Any] = answer.json()
    return described


def operations(document: Mapping[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in document["paths"].items():
        for method, operation in item.items():
            yield method.upper(), path, operation


async def test_it_is_valid(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1.")
    assert [error.message for error in OpenAPIV31SpecValidator(document).iter_errors()] == []


async def test_it_has_every_path_and_method_and_no_other(document: dict[str, Any], service: Service) -> None:
    served = {
        (method, path)
        for path, methods in service.edge.paths.items()
        for method in methods
        if method in _METHODS and not path.startswith("/errors/")
    }
    described = {(method, path) for method, path, _ in operations(document)}
    assert described - {("GET", "/errors/{code}")} == served


async def test_every_operation_is_explained(document: dict[str, Any]) -> None:
    ids = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(ids) == len(set(ids))
    known = {tag["name"] for tag in document["tags"]}
    for method, path, operation in operations(document):
        where = f"{method} {path}"
        assert operation["summary"], where
        assert not operation["summary"].endswith("."), where
        assert operation["description"], where
        assert set(operation["tags"]) <= known, where
        for parameter in operation.get("parameters", ()):
            assert parameter.get("description") or parameter["in"] == "path", f"{where}: {parameter['name']}"


async def test_a_parameter_of_a_path_has_one_name(document: dict[str, Any]) -> None:
    names: dict[str, set[str]] = {}
    for path in document["paths"]:
        before, brace, after = path.partition("{")
        if brace:
            names.setdefault(before, set()).add(after.partition("}")[0])
    assert names["/v1/organizations/"] == {"organization_id"}
    assert [where for where, found in names.items() if len(found) > 1] == []


async def test_it_says_what_a_token_needs(document: dict[str, Any]) -> None:
    labels = {permission.label for permission in Permission}
    for method, path, operation in operations(document):
        needs: list[str] | None = operation.get("x-permissions")
        if not path.startswith("/v1/"):
            assert needs is None
            assert operation["security"] == []
            continue
        assert operation["security"] == [{"token": []}], f"{method} {path}"
        assert needs is not None
        assert all(name in labels or name.startswith("platform:") for name in needs)
        assert all(f"`{name}`" in operation["description"] for name in needs)


async def test_failures_have_the_envelope_of_their_dialect(document: dict[str, Any]) -> None:
    assert "HTTPValidationError" not in str(document)
    for method, path, operation in operations(document):
        assert "422" not in operation["responses"]
        if path.startswith("/v1/"):
            for kind in ("4XX", "5XX"):
                schema = operation["responses"][kind]["content"]["application/json"]["schema"]
                name = "AnthropicError" if path == "/v1/messages" else "Error"
                assert schema == {"$ref": f"#/components/schemas/{name}"}, f"{method} {path}"


async def test_every_body_has_an_example_that_fits(document: dict[str, Any]) -> None:
    for method, path, operation in operations(document):
        if not path.startswith("/v1/"):
            continue
        bodies = {"request": operation.get("requestBody", {}), **operation["responses"]}
        for name, body in bodies.items():
            for media in body.get("content", {}).values():
                if "$ref" not in media["schema"]:
                    continue
                schema = {**media["schema"], "components": document["components"]}
                examples = [media["example"]] if "example" in media else []
                if name not in {"4XX", "5XX"}:
                    assert examples, f"{method} {path}: {name}"
                for example in examples:
                    errors = list(Draft202012Validator(schema).iter_errors(example))
                    assert errors == [], f"{method} {path}: {name}: {errors[0].message}"


async def test_the_example_of_an_error_is_what_an_error_looks_like(
    document: dict[str, Any], service: Service
) -> None:
    async with httpx2.AsyncClient(base_url=service.url) as client:
        in_openais = await client.get("/v1/agents")
        in_anthropics = await client.post("/v1/messages")
    for name, answer in (("Error", in_openais), ("AnthropicError", in_anthropics)):
        schema = {**document["components"]["schemas"][name], "components": document["components"]}
        for error in (answer.json(), schema["examples"][0]):
            assert list(Draft202012Validator(schema).iter_errors(error)) == []
