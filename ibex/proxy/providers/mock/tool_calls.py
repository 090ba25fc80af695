"""Which tools the mock calls, and with what."""

import re
from dataclasses import dataclass

import orjson

from ibex.proxy.providers.mock.json_schema import example
from ibex.proxy.providers.mock.requests import ChatRequest, Function, NamedToolChoice

_NAME = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call of a function; `arguments` is a JSON object as text."""

    name: str
    arguments: str


def tool_calls(request: ChatRequest) -> tuple[ToolCall, ...]:
    """The calls with which the request is answered; none when it is to be answered with text."""
    # A result is told to the user even where a call is required, or an agent's loop would never end.
    if not request.tools or request.tool_choice == "none" or request.messages[-1].role == "tool":
        return ()
    functions = [tool.function for tool in request.tools]
    if isinstance(request.tool_choice, NamedToolChoice):
        wanted = request.tool_choice.function.name
        called = [function for function in functions if function.name == wanted][:1]
    else:
        called = _mentioned(functions, request.question.text if request.question else "")
        if request.tool_choice == "required":
            called = called or functions[:1]
        if request.parallel_tool_calls is False:
            called = called[:1]
    return tuple(ToolCall(function.name, _arguments(function)) for function in called)


def _mentioned(functions: list[Function], text: str) -> list[Function]:
    names = {name.casefold() for name in _NAME.findall(text)}
    return [function for function in functions if function.name.casefold() in names]


def _arguments(function: Function) -> str:
    made = example(function.name, {"type": "object", **(function.parameters or {})})
    return orjson.dumps(made if isinstance(made, dict) else {}).decode()
