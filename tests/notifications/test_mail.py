"""Mails, handed over to a real SMTP server."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from email import message_from_bytes
from email.message import Message
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio
from aiosmtpd.smtp import SMTP

from ibex.errors import IbexError
from tests.notifications.office import LOOPBACK, Office

WITH_MAIL = LOOPBACK.model_copy(update={"smtp_url": "smtp+plain://set", "mail_from": "ibex@example.org"})


class Mailbox:
    """Takes every mail, but those for nobody."""

    def __init__(self) -> None:
        self.mails: list[Message] = []

    async def handle_RCPT(  # noqa: N802
        self, server: Any, session: Any, envelope: Any, address: str, options: Any
    ) -> str:
        if address.startswith("nobody@"):
            return "550 no such mailbox"
        if address.startswith("later@"):
            return "451 not now"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        self.mails.append(message_from_bytes(envelope.content))
        return "250 OK"


@pytest_asyncio.fixture
async def mailbox() -> AsyncIterator[tuple[Mailbox, str]]:
    box = Mailbox()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(box, loop=loop), "127.0.0.1", 0)
    async with server:
        yield box, f"smtp+plain://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def test_a_mail_says_what_has_happened(office: Office, mailbox: tuple[Mailbox, str]) -> None:
    box, server = mailbox
    office = replace(office, settings=WITH_MAIL)
    issued = await office.webhooks.create(office.actor, "mailto:Ops@Example.org", events=["job.dead"])
    assert (issued.secret, issued.webhook.url) == (None, "mailto:ops@example.org")
    with pytest.raises(IbexError, match="not signed"):
        await office.webhooks.rotate(office.actor, issued.webhook.id)
    async with office.courier(mail_server=server):
        event = await office.happens("job.dead", job="memory.capture", job_id=UUID(int=7))
        delivery = await office.attempted(issued.webhook, 1)
    assert delivery.delivery.status == "delivered"
    (mail,) = box.mails
    assert (mail["To"], mail["Subject"]) == ("ops@example.org", "IBEX: job.dead")
    assert mail["Message-ID"] == f"<{event.id}@example.org>"
    assert str(UUID(int=7)) in str(mail.get_payload())


@pytest.mark.parametrize(("who", "status", "code"), [("nobody", "failed", 550), ("later", "pending", 451)])
async def test_a_mail_that_is_refused_for_good_is_not_tried_again(
    office: Office, mailbox: tuple[Mailbox, str], who: str, status: str, code: int
) -> None:
    office = replace(office, settings=WITH_MAIL)
    webhook = await office.webhook(f"mailto:{who}@example.org")
    async with office.courier(mail_server=mailbox[1]):
        await office.happens()
        delivery = await office.attempted(webhook, 1)
    assert (delivery.delivery.status, delivery.attempts[0].status) == (status, code)
    assert delivery.attempts[0].error == "mail_refused"


async def test_a_server_without_tls_is_told_nothing_where_tls_is_asked_for(
    office: Office, mailbox: tuple[Mailbox, str]
) -> None:
    box, server = mailbox
    office = replace(office, settings=WITH_MAIL)
    webhook = await office.webhook("mailto:ops@example.org")
    async with office.courier(mail_server=server.replace("smtp+plain", "smtp")):
        await office.happens()
        delivery = await office.attempted(webhook, 1)
    assert (delivery.attempts[0].error, box.mails) == ("mail_server", [])


async def test_a_server_that_is_away_is_tried_again(office: Office) -> None:
    office = replace(office, settings=WITH_MAIL)
    webhook = await office.webhook("mailto:ops@example.org")
    async with office.courier(mail_server="smtp+plain://127.0.0.1:1"):
        await office.happens()
        delivery = await office.attempted(webhook, 1)
    assert (delivery.delivery.status, delivery.attempts[0].error) == ("pending", "mail_server")


async def test_a_mail_server_with_an_impossible_name_is_a_failure(office: Office) -> None:
    office = replace(office, settings=WITH_MAIL)
    webhook = await office.webhook("mailto:ops@example.org")
    async with office.courier(mail_server=f"smtp+plain://{'x' * 64}.example.org:25"):
        await office.happens()
        delivery = await office.attempted(webhook, 1)
    assert (delivery.delivery.status, delivery.attempts[0].error) == ("pending", "unexpected")
