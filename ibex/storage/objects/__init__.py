"""Where larger things are kept: objects with a name, in a folder or in a bucket of S3."""

from ibex.storage.objects.interface import (
    LARGEST,
    ObjectMissingError,
    ObjectStore,
    ObjectStoreError,
    StoredObject,
)
from ibex.storage.objects.opening import open_objects

__all__ = [
    "LARGEST",
    "ObjectMissingError",
    "ObjectStore",
    "ObjectStoreError",
    "StoredObject",
    "open_objects",
]
