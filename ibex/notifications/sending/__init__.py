"""How a delivery reaches whom it is for: over HTTPS, or as a mail."""

from ibex.notifications.sending.addresses import Addresses, NoAddressError
from ibex.notifications.sending.mail import Mailer, MailServer
from ibex.notifications.sending.message import Message
from ibex.notifications.sending.post import Poster

__all__ = ["Addresses", "MailServer", "Mailer", "Message", "NoAddressError", "Poster"]
