"""The description of the interface, made from its routes."""

from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import JSONResponse

from ibex.rest.envelopes import anthropic_error_schema, error_schema
from ibex.rest.examples import example_of, restore_nulls

PATH = "/openapi.json"
ERROR = "Error"
ANTHROPIC_ERROR = "AnthropicError"

_DESCRIPTION = """\
One service between agents and their LLM providers.

Lists are had page by page: `pagination.next_cursor` of one page is `cursor` of the next.
What is not there and what is another organization's are answered alike: 403 `ACCESS_DENIED`.
Match errors on `code`.
"""
_TAGS = {
    "calls": "What agents call, in OpenAI's dialect and in Anthropic's.",
    "organization": "The organization of the token.",
    "platform": "All organizations, for whoever runs the installation.",
    "users": "People, with a role each.",
    "agents": "Whom tokens act as.",
    "directives": "What agents are told at the front of every call, in versions.",
    "tokens": "What callers prove themselves with.",
    "traces": "The record of each call: what it was told, how it went and what it cost.",
    "limits": "How much tokens, agents, end users and organizations may ask.",
    "provider credentials": "Keys for providers that an organization has of its own.",
    "webhooks": "Whom an organization has told of what happens, and what was delivered.",
    "audit": "Who did what, chained by hashes.",
    "operations": "What whoever runs the installation watches.",
}
# What FastAPI would answer to a malformed request, and IBEX does not.
_NOT_OURS = ("HTTPValidationError", "ValidationError")


def publish(application: FastAPI, server: str, beside: Mapping[str, Any]) -> None:
    """Serve the description at `/openapi.json`, for anybody. `beside` are paths that others serve."""
    described: dict[str, Any] = {}

    async def show(request: Request) -> JSONResponse:
        if not described:
            described.update(describe(application, server, beside))
        return JSONResponse(described)

    application.add_route(PATH, show, include_in_schema=False)


def describe(application: FastAPI, server: str, beside: Mapping[str, Any]) -> dict[str, Any]:
    """OpenAPI 3.1. What a route needs is read from its dependencies (`needs`, a list of names)."""
    document = get_openapi(
        title="IBEX",
        version=application.version,
        description=_DESCRIPTION,
        routes=application.routes,
        servers=[{"url": server}],
        tags=[],
    )
    components = document.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    for name in _NOT_OURS:
        schemas.pop(name, None)
    for schema in schemas.values():
        restore_nulls(schema, schemas)
    schemas[ERROR] = error_schema()
    schemas[ANTHROPIC_ERROR] = anthropic_error_schema()
    components["securitySchemes"] = {
        "token": {"type": "http", "scheme": "bearer", "description": "A token of IBEX: `ibex_pat_…`"}
    }
    for route in application.routes:
        if isinstance(route, APIRoute):
            for method in route.methods or ():
                operation = document["paths"].get(route.path, {}).get(method.lower())
                if operation is not None:
                    _complete(operation, route, schemas)
    document["paths"] = {**document["paths"], **beside}
    document["tags"] = _tags(document["paths"])
    return document


def needs_of(route: APIRoute) -> list[str] | None:
    """The permissions that a route asks for; None when it asks for no token."""
    for dependency in route.dependant.dependencies:
        needs: list[str] | None = getattr(dependency.call, "needs", None)
        if needs is not None:
            return needs
    return None


def failures(schema: str = ERROR) -> dict[str, Any]:
    """Every answer that is an error."""
    content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}
    return {
        "4XX": {"description": "The request cannot be served; `code` says why.", "content": content},
        "5XX": {"description": "Something that is needed fails; try again.", "content": content},
    }


def _complete(operation: dict[str, Any], route: APIRoute, schemas: Mapping[str, Any]) -> None:
    """The first sentence is the summary, all of it the description."""
    text = route.description.strip()
    summary, _, _ = text.partition("\n\n")
    needs = needs_of(route)
    operation["summary"] = " ".join(summary.split()).removesuffix(".")
    operation["description"] = " ".join(text.split()) + _needs_sentence(needs)
    operation["operationId"] = route.name
    if needs is not None:
        operation["security"] = [{"token": []}]
        operation["x-permissions"] = needs
    answers = operation["responses"]
    answers.pop("422", None)
    answers.update(failures())
    bodies = [operation.get("requestBody", {}), *(a for code, a in answers.items() if code[1:] != "XX")]
    for body in bodies:
        for media in body.get("content", {}).values():
            media["example"] = example_of(media["schema"], schemas)


def _needs_sentence(needs: list[str] | None) -> str:
    if needs is None:
        return ""
    return f"\n\nNeeds {', '.join(f'`{name}`' for name in needs) or 'a valid token'}."


def _tags(paths: Mapping[str, Any]) -> list[dict[str, str]]:
    used = {tag for item in paths.values() for operation in item.values() for tag in operation["tags"]}
    known = [{"name": name, "description": text} for name, text in _TAGS.items() if name in used]
    return [*known, *({"name": name} for name in sorted(used - set(_TAGS)))]
