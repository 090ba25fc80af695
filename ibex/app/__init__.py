"""The composition root: the one place that knows every module, and puts the parts of each together."""

from ibex.app.application import build
from ibex.app.proxy import dead_ends
from ibex.app.shared import Connections

__all__ = ["Connections", "build", "dead_ends"]
