"""Where a webhook may lead to, as far as its URL tells."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from ibex.auth.names import invalid
from ibex.auth.users.email import checked_email
from ibex.errors import IbexError
from ibex.http import Network, is_reachable
from ibex.http.networks import parse_address
from ibex.notifications.webhook import MAILTO

_LONGEST = 2_000
_PRINTABLE = re.compile(r"[!-~]+")


@dataclass(frozen=True, slots=True)
class UrlRules:
    """What an installation allows beyond `https://` to public addresses.

    Parameters
    ----------
    allow_http: without TLS as well.
    allowed_networks: addresses that are not public, and may be connected to all the same.
    has_mail: whether mails can be sent.
    """

    allow_http: bool
    allowed_networks: Sequence[Network]
    has_mail: bool

    def checked(self, url: str) -> str:
        """The URL as it is stored. Raises VALIDATION_ERROR.

        A name is looked up, and its addresses are checked, whenever something is sent.
        """
        if url.startswith(MAILTO):
            return self._checked_mail(url)
        if len(url) > _LONGEST or _PRINTABLE.fullmatch(url) is None:
            raise _refused(f"A URL has {_LONGEST} characters at most, all of them printable ASCII.")
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
        except ValueError:
            raise _refused("This is not a URL such as https://example.org/hook.") from None
        if parts.scheme not in ("https", "http") or not host or port == 0:
            raise _refused("A URL begins with `https://` and a host, or with `mailto:`.")
        if parts.scheme == "http" and not self.allow_http:
            raise _refused(
                "What is sent without TLS can be read on the way: use `https://`, or have whoever runs the "
                "installation set `notifications.allow_http`."
            )
        if parts.username is not None or parts.password is not None or parts.fragment:
            raise _refused("A URL carries no user, no password and no fragment: requests are signed.")
        if parse_address(host) is not None and not is_reachable(host, self.allowed_networks):
            raise _refused(
                "This address is not a public one. Whoever runs the installation can allow it with "
                "`notifications.allowed_networks`."
            )
        return url

    def _checked_mail(self, url: str) -> str:
        if not self.has_mail:
            raise _refused(
                "No mails can be sent here: have whoever runs the installation set `notifications.smtp_url`."
            )
        return MAILTO + checked_email(url.removeprefix(MAILTO), "url")


def _refused(message: str) -> IbexError:
    return invalid("url", message)
