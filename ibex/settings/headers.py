"""What stands in the headers of requests to a provider. A wrong value is never quoted: it may be a secret."""

import re
from collections.abc import Mapping

from pydantic import SecretStr

_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"[^\x00-\x08\x0a-\x1f\x7f]*")
# They say whom a request is for, where it ends and what becomes of the connection, which is not for settings
# to decide.
_RESERVED = frozenset(
    {"connection", "content-length", "expect", "host", "te", "transfer-encoding", "upgrade"}
)


def headers(value: Mapping[str, str]) -> Mapping[str, str]:
    """Headers that can be sent with every request. Raises `ValueError`."""
    for name, text in value.items():
        if _NAME.fullmatch(name) is None:
            raise ValueError("a header's name has letters, digits and hyphens")
        if name.lower() in _RESERVED:
            raise ValueError(f"the header `{name}` is not yours to set")
        if _VALUE.fullmatch(text) is None:
            raise ValueError(f"the header `{name}` has a line end or another control character in it")
    return value


def api_key(value: SecretStr) -> SecretStr:
    """A key, without the line end that one from a file often has. Raises `ValueError`."""
    text = value.get_secret_value().strip()
    if _VALUE.fullmatch(text) is None:
        raise ValueError("has a line end or another control character in it")
    return SecretStr(text)
