"""What is known of models."""

from ibex.context.models.catalogue import ModelCatalogue, ModelLimits

__all__ = ["ModelCatalogue", "ModelLimits"]
