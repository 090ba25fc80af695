"""Whether agents still behave as they did."""

from ibex.drift.alert import Alert
from ibex.drift.records import StoredBaseline
from ibex.drift.retention import forget_fingerprints
from ibex.drift.service import DriftService
from ibex.drift.watch import DriftWatch

__all__ = ["Alert", "DriftService", "DriftWatch", "StoredBaseline", "forget_fingerprints"]
