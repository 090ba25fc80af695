"""The description of the interface, made from its routes."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import JSONResponse

PATH = "/openapi.json"


def publish(application: FastAPI, server: str) -> None:
    """Serve the description at `/openapi.json`, for anybody."""
    described: dict[str, Any] = {}

    async def show(request: Request) -> JSONResponse:
        if not described:
            described.update(describe(application, server))
        return JSONResponse(described)

    application.add_route(PATH, show, include_in_schema=False)


def describe(application: FastAPI, server: str) -> dict[str, Any]:
    """OpenAPI 3.1. What a route needs is read from its dependencies (`needs`, a list of names)."""
    document = get_openapi(
        title="IBEX",
        version=application.version,
        summary="Management of organizations, users, agents, tokens, credentials, limits and audit.",
        routes=application.routes,
        servers=[{"url": server}],
    )
    document.setdefault("components", {})["securitySchemes"] = {
        "token": {"type": "http", "scheme": "bearer", "description": "`ibex_pat_…`"}
    }
    for route in application.routes:
        if not isinstance(route, APIRoute):
            continue
        for method in route.methods or ():
            operation = document["paths"].get(route.path, {}).get(method.lower())
            if operation is not None:
                _add_needs(operation, needs_of(route))
    return document


def needs_of(route: APIRoute) -> list[str] | None:
    """The permissions that a route asks for; None when it asks for no token."""
    for dependency in route.dependant.dependencies:
        needs: list[str] | None = getattr(dependency.call, "needs", None)
        if needs is not None:
            return needs
    return None


def _add_needs(operation: dict[str, Any], needs: list[str] | None) -> None:
    if needs is None:
        return
    operation["security"] = [{"token": []}]
    operation["x-permissions"] = needs
    if needs:
        asked = ", ".join(f"`{name}`" for name in needs)
        operation["description"] = f"{operation.get('description', '')}\n\nNeeds {asked}.".strip()
