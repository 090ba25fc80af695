"""Which store of objects there is."""

from pathlib import Path

from ibex.storage.objects.folder import FolderObjects
from ibex.storage.objects.interface import ObjectStore, ObjectStoreError


def open_objects(folder: Path, s3_url: str | None, *, timeout: float) -> ObjectStore:
    """S3 when there is an address, else a folder; nothing connects yet. `timeout` is in seconds.

    Raises `ObjectStoreError` when what S3 needs is not installed.
    """
    if s3_url is None:
        return FolderObjects(folder)
    try:
        from ibex.storage.objects.s3 import S3Objects
    except ModuleNotFoundError as error:
        raise ObjectStoreError("S3 needs a library: pip install 'ibex[s3]'") from error
    return S3Objects(s3_url, timeout=timeout)
