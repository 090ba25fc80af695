"""For which methods a path is."""

from fastapi import FastAPI
from starlette.routing import BaseRoute, Match


def methods_of(application: FastAPI, path: str) -> list[str]:
    """All of them, from every route that the path fits; none when there is nothing at it.

    The framework itself names those of one route, whichever it comes to first.
    """
    scope = {"type": "http", "path": path, "method": "GET", "root_path": ""}
    found = set()
    for route in application.routes:
        if route.matches(scope)[0] is not Match.NONE:
            found |= _methods(route)
    if "GET" in found:
        found.add("HEAD")
    return sorted(found)


def _methods(route: BaseRoute) -> set[str]:
    return set(getattr(route, "methods", None) or ())
