"""Directives: what an agent is told at the front of every call."""

from ibex.context.directives.directive import MODES, Directive, DirectiveEntry, InjectionMode, Rollout, Status
from ibex.context.directives.resolution import DirectiveResolver, DirectiveUnavailableError
from ibex.context.directives.service import Comparison, DirectiveService
from ibex.context.directives.sessions import SessionVersions

__all__ = [
    "MODES",
    "Comparison",
    "Directive",
    "DirectiveEntry",
    "DirectiveResolver",
    "DirectiveService",
    "DirectiveUnavailableError",
    "InjectionMode",
    "Rollout",
    "SessionVersions",
    "Status",
]
