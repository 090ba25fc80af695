"""Objects in a bucket, over the protocol of Amazon S3."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, unquote, urlsplit

import obstore
from obstore.exceptions import BaseError
from obstore.store import S3Store

from ibex.storage.objects.interface import (
    ObjectMissingError,
    ObjectStoreError,
    StoredObject,
    checked_key,
    checked_size,
)

if TYPE_CHECKING:
    from obstore.store import ClientConfig, S3Config

# Seconds for a connection to be made, and tries after the first.
_CONNECT = 5.0
_RETRIES = 2
_REGION = "us-east-1"


class S3Objects:
    """A bucket, or what is below a prefix in it; the bucket stands in the path of an address.

    Checksums that S3 does not require are not sent, because not every server knows them; whoever stores
    something that matters reads it back.

    Parameters
    ----------
    url: `https://key:secret@host/bucket/prefix?region=eu-central-1`. Without a key, what the environment or
        the machine offers is used, as by every tool for S3.
    timeout: seconds that an operation may take.
    """

    def __init__(self, url: str, *, timeout: float) -> None:
        parts = urlsplit(url)
        bucket, _, prefix = unquote(parts.path).strip("/").partition("/")
        config: S3Config = {
            "endpoint": f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}",
            "bucket": bucket,
            "region": parse_qs(parts.query).get("region", [_REGION])[0],
            "virtual_hosted_style_request": False,
        }
        if parts.username:
            config["access_key_id"] = unquote(parts.username)
            config["secret_access_key"] = unquote(parts.password or "")
        client: ClientConfig = {
            "timeout": timedelta(seconds=timeout),
            "connect_timeout": timedelta(seconds=min(_CONNECT, timeout)),
            "allow_http": parts.scheme == "http",
        }
        self._timeout = timeout
        self._store = S3Store(
            config=config,
            prefix=prefix or None,
            client_options=client,
            retry_config={"max_retries": _RETRIES, "retry_timeout": timedelta(seconds=timeout)},
        )

    async def put(self, key: str, content: bytes) -> None:
        checked_size(len(content))
        with _explained():
            async with asyncio.timeout(self._timeout):
                await obstore.put_async(self._store, checked_key(key), content, use_multipart=False)

    async def get(self, key: str) -> bytes:
        with _explained():
            async with asyncio.timeout(self._timeout):
                found = await obstore.get_async(self._store, checked_key(key))
                checked_size(found.meta["size"])
                return bytes(await found.bytes_async())

    async def list(self, prefix: str = "") -> AsyncIterator[StoredObject]:
        pages = obstore.list(self._store, prefix=prefix or None)
        while True:
            with _explained():
                async with asyncio.timeout(self._timeout):
                    page = await anext(pages, None)
            if page is None:
                return
            for each in page:
                yield StoredObject(each["path"], each["size"], each["last_modified"])

    async def delete(self, key: str) -> None:
        try:
            with _explained():
                async with asyncio.timeout(self._timeout):
                    await obstore.delete_async(self._store, checked_key(key))
        except ObjectMissingError:
            # S3 says nothing of it, other servers do.
            return

    async def ping(self) -> None:
        with _explained():
            async with asyncio.timeout(self._timeout):
                await obstore.list_with_delimiter_async(self._store, prefix="ping")


@contextmanager
def _explained() -> Iterator[None]:
    """The library's messages quote addresses and answers: only the kind of an error is passed on."""
    try:
        yield
    except FileNotFoundError as error:
        raise ObjectMissingError("there is no such object") from error
    except TimeoutError as error:
        raise ObjectStoreError("S3 takes too long") from error
    except (BaseError, OSError) as error:
        raise ObjectStoreError(f"S3 refuses or is away ({type(error).__name__})") from error
