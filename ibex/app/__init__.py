"""The composition root: the one place that knows every module, and puts the parts of each together."""

from ibex.app.application import build
from ibex.app.context import previewing
from ibex.app.jobs import CONNECTIONS as CONNECTIONS_PER_JOB_PROCESS
from ibex.app.jobs import JobParts, say_nothing
from ibex.app.proxy import dead_ends
from ibex.app.shared import Connections

__all__ = [
    "CONNECTIONS_PER_JOB_PROCESS",
    "Connections",
    "JobParts",
    "build",
    "dead_ends",
    "previewing",
    "say_nothing",
]
