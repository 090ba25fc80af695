"""The REST interface of this module, slice by slice."""

from collections.abc import Sequence

from fastapi import APIRouter

from ibex.auth.access import Access
from ibex.auth.administration import Administration
from ibex.auth.agents import endpoints as agents


def routers(administration: Administration, access: Access) -> Sequence[APIRouter]:
    """One for each kind of resource."""
    return (agents.router(administration.agents, access),)
