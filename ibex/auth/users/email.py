"""What counts as an e-mail address. Nobody is asked over the network."""

import re
import unicodedata

from ibex.auth.names import invalid

# The unquoted form of RFC 5321, section 4.1.2.
_ATOM = r"[a-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LOCAL = re.compile(rf"{_ATOM}(?:\.{_ATOM})*")
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_DOMAIN = re.compile(rf"{_LABEL}(?:\.{_LABEL})+")
# RFC 5321, section 4.5.3.1, and the path that it allows.
_LONGEST_LOCAL = 64
_LONGEST = 254


def checked_email(text: str, field: str = "email") -> str:
    """An address in small letters, its domain in ASCII, so that one address has one spelling.

    Raises VALIDATION_ERROR.
    """
    local, _, domain = unicodedata.normalize("NFC", text).strip().lower().rpartition("@")
    try:
        domain = domain.encode("idna").decode()
    except UnicodeError:
        domain = ""
    email = f"{local}@{domain}"
    is_address = (
        len(local) <= _LONGEST_LOCAL
        and len(email) <= _LONGEST
        and _LOCAL.fullmatch(local) is not None
        and _DOMAIN.fullmatch(domain) is not None
    )
    if not is_address:
        raise invalid(field, "An e-mail address looks like ada@example.org.")
    return email
