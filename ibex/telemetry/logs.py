"""JSON lines on standard output, without content and without secrets."""

import json
import logging
import os
import sys
import traceback
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import orjson

# Messages of these speak of hosts, ports and files; those of other exceptions may quote what was sent.
_SAFE_TO_QUOTE = (OSError,)
_SAFE_NAMES = frozenset({"OperationalError", "ConnectionError", "PoolTimeout"})

# What these report below this level is about their own workings.
_LIBRARIES = {
    "alembic": logging.WARNING,
    "arq": logging.WARNING,
    "uvicorn": logging.WARNING,
    "psycopg.pool": logging.ERROR,
}


class JsonFormatter(logging.Formatter):
    """One JSON object per record: time, level, logger, message, and for an exception its type and frames."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            "pid": record.process,
        }
        if record.exc_info and record.exc_info[1] is not None:
            line["exception"] = _describe(record.exc_info[1])
        # Not orjson, which refuses what is no valid Unicode, such as the name of a file that is none.
        return json.dumps(line, default=str)


def configure(level: str) -> None:
    """Send the records of every logger to standard output as JSON lines."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for library, least in _LIBRARIES.items():
        logging.getLogger(library).setLevel(least)


class AccessLog:
    """One line per request, written in blocks so that a request does not pay for a system call.

    Parameters
    ----------
    enabled: whether lines are kept at all.
    """

    _BLOCK = 32 << 10

    def __init__(self, *, enabled: bool) -> None:
        self.is_enabled = enabled
        self._pid = os.getpid()
        self._lines: list[bytes] = []
        self._size = 0

    def add(self, fields: Mapping[str, Any]) -> None:
        if not self.is_enabled:
            return
        line = orjson.dumps(
            {"logger": "ibex.access", "pid": self._pid, **fields}, option=orjson.OPT_APPEND_NEWLINE
        )
        self._lines.append(line)
        self._size += len(line)
        if self._size >= self._BLOCK:
            self.flush()

    def flush(self) -> None:
        if self._lines:
            block, self._lines, self._size = b"".join(self._lines), [], 0
            # Whoever read the log may be gone; that is no reason to fail a request.
            with suppress(OSError, ValueError):
                sys.stdout.flush()
                sys.stdout.buffer.write(block)
                sys.stdout.buffer.flush()


def _describe(error: BaseException) -> dict[str, Any]:
    described: dict[str, Any] = {
        "type": f"{type(error).__module__}.{type(error).__qualname__}",
        "frames": [
            f"{frame.filename}:{frame.lineno} {frame.name}"
            for frame in traceback.extract_tb(error.__traceback__)
        ],
    }
    if isinstance(error, _SAFE_TO_QUOTE) or type(error).__name__ in _SAFE_NAMES:
        described["message"] = (str(error).splitlines() or [""])[0]
    if error.__cause__ is not None:
        described["cause"] = _describe(error.__cause__)
    return described
