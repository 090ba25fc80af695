"""The risk that a text was written to instruct a model that reads it later."""

from ibex.memory.writing.detection.injection.assessment import Assessment, assess

__all__ = ["Assessment", "assess"]
