"""Traces as a file: a table with a head, or objects, one a line."""

import asyncio
import csv
import io
from collections.abc import AsyncIterator, Sequence

import orjson

from ibex.traces.reading.views import TraceView, shown
from ibex.traces.trace import Trace

# What a spreadsheet takes for the beginning of a formula (OWASP, "CSV Injection").
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
# Traces that are written before the loop goes on; one takes up to 0.15 ms of a busy core.
_AT_ONCE = 50


async def as_jsonl(pages: AsyncIterator[list[Trace]]) -> AsyncIterator[bytes]:
    """As the REST interface shows each of them."""
    async for page in _parts(pages):
        yield b"".join(orjson.dumps(shown(trace), option=orjson.OPT_APPEND_NEWLINE) for trace in page)


async def as_csv(pages: AsyncIterator[list[Trace]]) -> AsyncIterator[bytes]:
    """RFC 4180. Of lists the items are separated by spaces, steps are JSON; what is not known is empty."""
    yield _rows([list(TraceView.model_fields)])
    async for page in _parts(pages):
        yield _rows([[cell(value) for value in shown(trace).values()] for trace in page])


def cell(value: object) -> str:
    """A text that no spreadsheet takes for a formula: an apostrophe goes before one that looks like it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, tuple):
        text = " ".join(map(str, value))
    elif isinstance(value, str):
        text = value
    else:
        text = orjson.dumps(value).decode().strip('"')
    return f"'{text}" if text.startswith(_FORMULA) else text


async def _parts(pages: AsyncIterator[list[Trace]]) -> AsyncIterator[list[Trace]]:
    async for page in pages:
        for start in range(0, len(page), _AT_ONCE):
            yield page[start : start + _AT_ONCE]
            await asyncio.sleep(0)


def _rows(rows: Sequence[Sequence[str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()
