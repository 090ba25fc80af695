"""The frame of the REST interface: what every one of its requests and answers has in common."""

from ibex.rest import strict_json
from ibex.rest.application import RestApplication
from ibex.rest.exchange import Exchange, exchange_of
from ibex.rest.routes import LongBodyRoute, StreamedBodyRoute, body_lines
from ibex.rest.shapes import Body, Cursor, Page, PageQuery, Pagination, Single, paginated

__all__ = [
    "Body",
    "Cursor",
    "Exchange",
    "LongBodyRoute",
    "Page",
    "PageQuery",
    "Pagination",
    "RestApplication",
    "Single",
    "StreamedBodyRoute",
    "body_lines",
    "exchange_of",
    "paginated",
    "strict_json",
]
