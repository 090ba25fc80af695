"""The outside of the service: requests as they arrive, answers as they leave."""

from ibex.http.asgi import (
    DISCONNECT,
    Disconnect,
    Endpoint,
    Message,
    Receive,
    Routes,
    Scope,
    Send,
    respond,
)
from ibex.http.body import ClientGoneError, read_body
from ibex.http.client_address import ClientAddress
from ibex.http.deadline import Deadline, Deadlines
from ibex.http.edge import Edge
from ibex.http.egress import is_reachable
from ibex.http.headers import PROVIDER_KEY, PROVIDER_KEY_FORM, RequestHeaders
from ibex.http.networks import MOST_NETWORKS, Network, are_within, contain, parse_networks

__all__ = [
    "DISCONNECT",
    "MOST_NETWORKS",
    "PROVIDER_KEY",
    "PROVIDER_KEY_FORM",
    "ClientAddress",
    "ClientGoneError",
    "Deadline",
    "Deadlines",
    "Disconnect",
    "Edge",
    "Endpoint",
    "Message",
    "Network",
    "Receive",
    "RequestHeaders",
    "Routes",
    "Scope",
    "Send",
    "are_within",
    "contain",
    "is_reachable",
    "parse_networks",
    "read_body",
    "respond",
]
