"""Every line of the log is one JSON object, and none of them holds what was said."""

import json
import logging
import sys
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg import OperationalError

from ibex.telemetry import AccessLog
from ibex.telemetry.logs import JsonFormatter, configure

CANARY = "canary-of-the-prompt"


@pytest.fixture
def _restored() -> Iterator[None]:
    """Handlers and levels as they were, once the test is over."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def line(record: logging.LogRecord) -> dict[str, Any]:
    text = JsonFormatter().format(record)
    assert "\n" not in text
    parsed: dict[str, Any] = json.loads(text)
    return parsed


def record(message: object, *arguments: object, error: BaseException | None = None) -> logging.LogRecord:
    exc_info = (type(error), error, error.__traceback__) if error else None
    return logging.LogRecord("ibex.test", logging.WARNING, __file__, 1, message, arguments, exc_info)


def raised(error: BaseException, cause: BaseException | None = None) -> BaseException:
    try:
        raise error from cause
    except BaseException as caught:  # noqa: BLE001
        return caught


@given(st.text(st.characters(), max_size=200))
def test_any_message_is_one_line_of_json(text: str) -> None:
    found = line(record("said: %s", text))
    assert found["level"] == "warning"
    assert found["logger"] == "ibex.test"
    assert found["message"] == f"said: {text}"


@pytest.mark.parametrize("text", ["\ud800", "a\udcffb"])
def test_what_is_no_unicode_is_a_line_too(text: str) -> None:
    assert line(record(text))["message"] == text


def test_an_exception_is_told_by_its_type_and_its_frames_without_its_message() -> None:
    found = line(record("failed", error=raised(ValueError(CANARY), KeyError(CANARY))))
    assert found["exception"]["type"] == "builtins.ValueError"
    assert found["exception"]["cause"]["type"] == "builtins.KeyError"
    assert any("test_logs.py" in frame for frame in found["exception"]["frames"])
    assert CANARY not in json.dumps(found)


@pytest.mark.parametrize(
    "error", [ConnectionRefusedError(111, "refused"), OperationalError("no server\nmore")]
)
def test_errors_about_hosts_and_ports_are_quoted_to_their_first_line(error: Exception) -> None:
    message = line(record("failed", error=raised(error)))["exception"]["message"]
    assert message
    assert "more" not in message


@pytest.mark.usefixtures("_restored")
def test_every_logger_writes_json_to_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    configure("info")
    logging.getLogger("ibex.some").info("one")
    logging.getLogger("asyncio").error("two", exc_info=raised(ValueError(CANARY)))
    logging.getLogger("ibex.some").debug("not this")
    logging.getLogger("psycopg.pool").warning("error connecting: %s", CANARY)
    output = capsys.readouterr().out
    assert [json.loads(text)["message"] for text in output.splitlines()] == ["one", "two"]
    assert CANARY not in output


def test_access_lines_are_written_in_blocks_of_whole_lines(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    log = AccessLog(enabled=True)
    request_ids = [uuid4() for _ in range(500)]
    for request_id in request_ids:
        log.add({"request_id": request_id, "status": 200})
    early = capfdbinary.readouterr().out
    assert early.endswith(b"\n")
    log.flush()
    output = early + capfdbinary.readouterr().out
    assert [json.loads(text)["request_id"] for text in output.splitlines()] == [str(i) for i in request_ids]
    log.flush()
    assert capfdbinary.readouterr().out == b""


def test_an_access_log_that_is_off_writes_nothing(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    log = AccessLog(enabled=False)
    log.add({"request_id": 1})
    log.flush()
    assert capfdbinary.readouterr().out == b""
    assert sys.stdout is not None
