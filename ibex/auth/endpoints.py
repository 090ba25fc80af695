"""The REST interface of this module, slice by slice."""

from collections.abc import Sequence
from datetime import timedelta

from fastapi import APIRouter

from ibex.auth.access import Access
from ibex.auth.administration import Administration
from ibex.auth.agents import endpoints as agents
from ibex.auth.audit import endpoints as audit
from ibex.auth.credentials import endpoints as credentials
from ibex.auth.limits import LimitDefaults
from ibex.auth.limits import endpoints as limits
from ibex.auth.organizations import endpoints as organizations
from ibex.auth.tokens import endpoints as tokens
from ibex.auth.users import endpoints as users


def routers(
    administration: Administration,
    access: Access,
    *,
    limit_defaults: LimitDefaults,
    organization_grace: timedelta,
) -> Sequence[APIRouter]:
    """One for each kind of resource.

    `limit_defaults` hold where nothing is overridden. `organization_grace` is how long an organization that
    is being deleted can be resumed.
    """
    return (
        organizations.own_router(administration.organizations, access, organization_grace),
        organizations.platform_router(
            administration.organizations, administration.founding, access, organization_grace
        ),
        users.router(administration.users, access),
        tokens.router(administration.tokens, access),
        agents.router(administration.agents, access),
        audit.router(administration.audit, access),
        credentials.router(administration.credentials, access),
        limits.router(administration.limits, limit_defaults, access),
    )
