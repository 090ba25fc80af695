"""Parses and checks a body. Only what IBEX acts on is checked; everything else is the provider's to judge."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import orjson

from ibex.errors import ErrorCode, FieldError, IbexError

_LONGEST_MODEL = 256
_LONGEST_USER = 256


@dataclass(frozen=True, slots=True)
class Payload:
    """A parsed body. Unknown fields are kept and forwarded as they are."""

    fields: Mapping[str, Any] = field(repr=False)
    model: str
    streams: bool
    user: str | None

    def with_model(self, model: str) -> bytes:
        """The body to send: what was checked is what is sent, so a field given twice has one meaning.

        Raises INVALID_JSON when it is nested deeper than can be written, which is less than can be read.
        """
        try:
            return orjson.dumps({**self.fields, "model": model})
        except orjson.JSONEncodeError:
            raise IbexError(
                ErrorCode.INVALID_JSON, "The body is nested too deeply; 250 levels are accepted."
            ) from None


def parse_chat(body: bytes, message_limit: int) -> Payload:
    """A chat completion. Raises INVALID_JSON or VALIDATION_ERROR, naming every field that is wrong."""
    fields = _parse_object(body)
    problems = [*_common_problems(fields), *_conversation_problems(fields, message_limit)]
    return _checked(fields, problems, fields.get("user"), "user")


def parse_messages(body: bytes, message_limit: int) -> Payload:
    """A call in Anthropic's dialect. Raises INVALID_JSON or VALIDATION_ERROR."""
    fields = _parse_object(body)
    problems = [*_common_problems(fields), *_conversation_problems(fields, message_limit)]
    metadata = fields.get("metadata")
    user = metadata.get("user_id") if isinstance(metadata, dict) else None
    return _checked(fields, problems, user, "metadata.user_id")


def parse_embeddings(body: bytes) -> Payload:
    """A request for embeddings. Raises INVALID_JSON or VALIDATION_ERROR."""
    fields = _parse_object(body)
    problems = _common_problems(fields)
    if not isinstance(fields.get("input"), str | list) or not fields["input"]:
        problems.append(FieldError("input", "must be a text or a list, and not empty"))
    return replace(_checked(fields, problems, fields.get("user"), "user"), streams=False)


def _parse_object(body: bytes) -> dict[str, Any]:
    if not body:
        raise IbexError(ErrorCode.INVALID_JSON, "The body is empty; send a JSON object.")
    try:
        fields = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise IbexError(
            ErrorCode.INVALID_JSON,
            f"The body is not valid JSON: {error.msg} (line {error.lineno}, column {error.colno}).",
        ) from None
    if not isinstance(fields, dict):
        raise IbexError(ErrorCode.INVALID_JSON, "The body must be a JSON object.")
    return fields


def _common_problems(fields: Mapping[str, Any]) -> list[FieldError]:
    problems = []
    model = fields.get("model")
    if not isinstance(model, str) or not model.strip():
        problems.append(FieldError("model", "must be a text that names a model"))
    elif len(model) > _LONGEST_MODEL or not model.isprintable():
        problems.append(FieldError("model", f"must have {_LONGEST_MODEL} printable characters at most"))
    if not isinstance(fields.get("stream"), bool | None):
        problems.append(FieldError("stream", "must be true or false"))
    return problems


def _conversation_problems(fields: Mapping[str, Any], message_limit: int) -> list[FieldError]:
    messages = fields.get("messages")
    if not isinstance(messages, list) or not messages:
        return [FieldError("messages", "must be a list with one message at least")]
    if len(messages) > message_limit:
        return [FieldError("messages", f"has {len(messages)} messages; {message_limit} are accepted")]
    for index, message in enumerate(messages):
        if not isinstance(message, dict):
            return [FieldError(f"messages.{index}", "must be an object")]
        if not isinstance(message.get("role"), str):
            return [FieldError(f"messages.{index}.role", "must be a text, such as `user`")]
    return []


def _checked(fields: dict[str, Any], problems: list[FieldError], user: object, user_field: str) -> Payload:
    """The payload, unless something is wrong; `user` is the end user as the dialect names one."""
    if isinstance(user, str) and (len(user) > _LONGEST_USER or "\x00" in user):
        message = f"must have {_LONGEST_USER} characters at most, none of them NUL"
        problems = [*problems, FieldError(user_field, message)]
    if problems:
        raise IbexError(
            ErrorCode.VALIDATION_ERROR,
            "; ".join(f"`{problem.field}` {problem.message}" for problem in problems) + ".",
            param=problems[0].field,
            field_errors=problems,
        )
    return Payload(
        fields,
        fields["model"],
        bool(fields.get("stream")),
        user if isinstance(user, str) and user else None,
    )
