"""Sends a message as a mail in plain text, through the SMTP server of the installation."""

import asyncio
import ssl
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.utils import format_datetime, parseaddr
from typing import Self
from urllib.parse import unquote, urlsplit

import aiosmtplib
import orjson

from ibex.notifications.outcome import Answer
from ibex.notifications.sending.message import Message
from ibex.notifications.webhook import MAILTO

_PORTS = {"smtps": 465, "smtp": 587, "smtp+plain": 25}
# RFC 5321, section 4.2.1: from here on, trying again cannot help.
_PERMANENT = 500


@dataclass(frozen=True, slots=True)
class MailServer:
    """Where mails are handed over: under TLS from the beginning, from STARTTLS on, or `is_plain` without."""

    host: str
    port: int
    user: str | None
    password: str | None = field(repr=False)
    is_sealed: bool
    is_plain: bool

    @classmethod
    def of(cls, url: str) -> Self:
        parts = urlsplit(url)
        return cls(
            host=parts.hostname or "",
            port=parts.port or _PORTS[parts.scheme],
            user=unquote(parts.username) if parts.username else None,
            password=unquote(parts.password) if parts.password else None,
            is_sealed=parts.scheme == "smtps",
            is_plain=parts.scheme == "smtp+plain",
        )


class Mailer:
    """Hands mails over to one server.

    Parameters
    ----------
    server: None where no mails can be sent.
    sender: the address that they come from.
    timeout: seconds for all of an attempt.
    """

    def __init__(
        self,
        server: MailServer | None,
        sender: str,
        *,
        timeout: float,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._server = server
        self._sender = sender
        self._timeout = timeout
        self._tls = tls

    async def send(self, message: Message) -> Answer:
        """How it went; raises nothing of what can go wrong on the way."""
        server = self._server
        if server is None:
            return Answer(failure="no_mail_server")
        try:
            async with asyncio.timeout(self._timeout):
                await aiosmtplib.send(
                    _mail(message, self._sender),
                    hostname=server.host,
                    port=server.port,
                    username=server.user,
                    password=server.password,
                    use_tls=server.is_sealed,
                    start_tls=not (server.is_sealed or server.is_plain),
                    tls_context=self._tls,
                    timeout=self._timeout,
                )
        except (TimeoutError, aiosmtplib.SMTPTimeoutError):
            return Answer(failure="timeout")
        except aiosmtplib.SMTPRecipientsRefused as error:
            return _refused(max(each.code for each in error.recipients))
        except (aiosmtplib.SMTPDataError, aiosmtplib.SMTPSenderRefused) as error:
            return _refused(error.code)
        except (aiosmtplib.SMTPException, OSError) as error:
            code = error.code if isinstance(error, aiosmtplib.SMTPResponseException) else None
            return Answer(code, "mail_server")
        return Answer()


def _refused(code: int) -> Answer:
    """What is said of this mail, and not of the server."""
    return Answer(code, "mail_refused", is_final=code >= _PERMANENT)


def _mail(message: Message, sender: str) -> EmailMessage:
    """The same `Message-ID` for every attempt, so that a mailbox can tell that it has it already."""
    mail = EmailMessage()
    mail["From"] = sender
    mail["To"] = message.url.removeprefix(MAILTO)
    mail["Subject"] = f"IBEX: {message.type}"
    mail["Date"] = format_datetime(message.at)
    mail["Message-ID"] = f"<{message.event_id}@{parseaddr(sender)[1].rpartition('@')[2]}>"
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(_text(message))
    return mail


def _text(message: Message) -> str:
    data = orjson.dumps(message.data, option=orjson.OPT_INDENT_2).decode()
    return (
        f"{message.type}, {message.at.isoformat(timespec='seconds')}\n"
        f"Organization {message.org_id}\n"
        f"Event {message.event_id}\n\n"
        f"{data}\n"
    )
