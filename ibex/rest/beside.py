"""The paths beside this interface, described in short so that the description is complete."""

from collections.abc import Iterable
from typing import Any

from ibex.rest.openapi import ANTHROPIC_ERROR, ERROR, failures

_OBJECT = {"type": "object", "additionalProperties": True}
_AGENT = (
    "X-IBEX-Agent-ID",
    "The agent that calls, by id or slug; not needed by a token that is bound to one.",
)
_SESSION = ("X-IBEX-Session-ID", "The conversation; without it the call begins one of its own.")
_END_USER = (
    "X-IBEX-User-ID",
    "The end user that the call is about; else the body's `user`, in Anthropic's dialect `metadata.user_id`.",
)
_PROVIDER_KEY = ("X-IBEX-Provider-Key", "A key for the provider, where the organization allows that.")
_IDEMPOTENCY = ("Idempotency-Key", "A request that is sent again with it is answered as the first was.")
_EVERY_CALL = (_AGENT, _END_USER, _PROVIDER_KEY, _IDEMPOTENCY)
_ANTHROPICS = (
    ("anthropic-version", "The version of the interface, for the provider; 2023-06-01 unless it is said."),
    ("anthropic-beta", "Betas of the interface, for the provider."),
)
_ANYBODY: list[dict[str, list[str]]] = []


def paths() -> dict[str, Any]:
    """What agents call are OpenAI's interface and Anthropic's, of which only the frame is described here."""
    return {
        "/v1/chat/completions": {
            "post": _call(
                "create_chat_completion",
                "Create a chat completion",
                "As OpenAI's, streamed or whole; fields that IBEX does not know are forwarded.",
                ["memory:read", "session:create", "session:read"],
                (_SESSION, *_EVERY_CALL),
                {"model": "mock", "messages": [{"role": "user", "content": "Hello!"}]},
            )
        },
        "/v1/messages": {
            "post": _call(
                "create_message",
                "Create a message",
                "As Anthropic's, streamed or whole; fields that IBEX does not know are forwarded. "
                "The token may be in `x-api-key`, where Anthropic's client puts it.",
                ["memory:read", "session:create", "session:read"],
                (_SESSION, *_EVERY_CALL, *_ANTHROPICS),
                {"model": "mock", "max_tokens": 1_000, "messages": [{"role": "user", "content": "Hello!"}]},
                error=ANTHROPIC_ERROR,
            )
        },
        "/v1/embeddings": {
            "post": _call(
                "create_embedding",
                "Create embeddings",
                "As OpenAI's.",
                ["session:create"],
                _EVERY_CALL,
                {"model": "mock", "input": "Hello!"},
            )
        },
        "/v1/models": {
            "get": {
                "operationId": "list_models",
                "tags": ["calls"],
                "summary": "List the models that can be asked for",
                "description": "Aliases and declared names first.\n\nNeeds a valid token.",
                "security": [{"token": []}],
                "x-permissions": [],
                "responses": {"200": _json("The models, in OpenAI's form."), **failures()},
            }
        },
        "/health": {"get": _operation("health", "Whether the process answers", _json("It does."))},
        "/ready": {
            "get": {
                **_operation("ready", "Whether all that is needed answers", _json("It does.")),
                "responses": {
                    "200": _json("It does, or IBEX can do without what does not."),
                    "503": _json("It does not; the body says what."),
                },
            }
        },
        "/metrics": {"get": _operation("metrics", "Metrics", _text("Metrics in Prometheus's format."))},
        "/errors/{code}": {
            "get": {
                **_operation("explain_error", "What an error code means", _text("A page in Markdown.")),
                "parameters": [
                    {
                        "name": "code",
                        "in": "path",
                        "required": True,
                        "description": "Such as `INVALID_TOKEN`.",
                        "schema": {"type": "string"},
                    }
                ],
            }
        },
        "/openapi.json": {"get": _operation("describe", "This description", _json("OpenAPI 3.1."))},
    }


def _call(
    operation_id: str,
    summary: str,
    description: str,
    needs: list[str],
    headers: Iterable[tuple[str, str]],
    example: object,
    *,
    error: str = ERROR,
) -> dict[str, Any]:
    streamed = {"text/event-stream": {"schema": {"type": "string"}}} if "messages" in str(example) else {}
    return {
        "operationId": operation_id,
        "tags": ["calls"],
        "summary": summary,
        "description": f"{description}\n\nNeeds {', '.join(f'`{name}`' for name in needs)}.",
        "security": [{"token": []}],
        "x-permissions": needs,
        "parameters": [_header(name, text) for name, text in headers],
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": _OBJECT, "example": example}},
        },
        "responses": {
            "200": {
                "description": "The provider's answer.",
                "content": {"application/json": {"schema": _OBJECT}, **streamed},
            },
            **failures(error),
        },
    }


def _header(name: str, description: str) -> dict[str, Any]:
    return {"name": name, "in": "header", "description": description, "schema": {"type": "string"}}


def _operation(operation_id: str, summary: str, answer: dict[str, Any]) -> dict[str, Any]:
    return {
        "operationId": operation_id,
        "tags": ["operations"],
        "summary": summary,
        "description": f"{summary}. No token is needed.",
        "security": _ANYBODY,
        "responses": {"200": answer, **failures()},
    }


def _json(description: str) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": _OBJECT}}}


def _text(description: str) -> dict[str, Any]:
    return {"description": description, "content": {"text/plain": {"schema": {"type": "string"}}}}
