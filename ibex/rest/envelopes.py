"""What every failure is answered with, in each dialect."""

from typing import Any

from ibex.errors import ErrorCode

_NULLABLE = {"type": ["string", "null"]}
_MESSAGE = {"type": "string", "description": "A sentence for people; it may change."}
_PARAM = {**_NULLABLE, "description": "The field, parameter or header that is wrong."}
_CODE = {"type": "string", "enum": [str(code) for code in ErrorCode]}
_FIELD_ERRORS = {
    "type": "array",
    "items": {
        "type": "object",
        "properties": {"field": {"type": "string"}, "message": {"type": "string"}},
        "required": ["field", "message"],
    },
}


def error_schema() -> dict[str, Any]:
    """OpenAI's envelope, with more in it."""
    fields = {
        "message": _MESSAGE,
        "type": {"type": "string"},
        "param": _PARAM,
        "code": _CODE,
        "detail": _NULLABLE,
        "docs_url": {"type": "string"},
        "request_id": {"type": "string"},
        "timestamp": {"type": "string", "format": "date-time"},
        "field_errors": _FIELD_ERRORS,
    }
    return {
        "type": "object",
        "description": "What every failure is answered with.",
        "properties": {"error": {"type": "object", "properties": fields, "required": list(fields)}},
        "required": ["error"],
        "examples": [
            {
                "error": {
                    "message": "The token lacks a permission that this call needs.",
                    "type": "permission_error",
                    "param": None,
                    "code": "INSUFFICIENT_PERMISSIONS",
                    "detail": "Missing: token:create.",
                    "docs_url": "http://127.0.0.1:8080/errors/INSUFFICIENT_PERMISSIONS",
                    "request_id": "01a20747-378d-70c7-a843-85766e82a988",
                    "timestamp": "2030-01-31T12:00:00.000+00:00",
                    "field_errors": [],
                }
            }
        ],
    }


def anthropic_error_schema() -> dict[str, Any]:
    """Anthropic's envelope, with more in it."""
    fields = {
        "type": {"type": "string"},
        "message": _MESSAGE,
        "param": _PARAM,
        "code": _CODE,
        "detail": _NULLABLE,
        "details": {
            "type": "object",
            "description": "The code again, where Anthropic's client looks for it.",
            "properties": {"error_code": _CODE},
            "required": ["error_code"],
        },
        "docs_url": {"type": "string"},
        "field_errors": _FIELD_ERRORS,
    }
    envelope = {
        "type": {"const": "error"},
        "error": {"type": "object", "properties": fields, "required": list(fields)},
        "request_id": {"type": "string"},
    }
    return {
        "type": "object",
        "description": "What a failure of a call in Anthropic's dialect is answered with.",
        "properties": envelope,
        "required": list(envelope),
        "examples": [
            {
                "type": "error",
                "error": {
                    "type": "permission_error",
                    "message": "The token lacks a permission that this call needs.",
                    "param": None,
                    "code": "INSUFFICIENT_PERMISSIONS",
                    "detail": "Missing: memory:read.",
                    "details": {"error_code": "INSUFFICIENT_PERMISSIONS"},
                    "docs_url": "http://127.0.0.1:8080/errors/INSUFFICIENT_PERMISSIONS",
                    "field_errors": [],
                },
                "request_id": "01a20747-378d-70c7-a843-85766e82a988",
            }
        ],
    }
