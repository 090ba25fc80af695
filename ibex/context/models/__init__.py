"""What is known of models."""

from ibex.context.models.catalogue import ModelCatalogue, ModelLimits, ModelPrice

__all__ = ["ModelCatalogue", "ModelLimits", "ModelPrice"]
