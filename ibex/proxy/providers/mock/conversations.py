"""The requests of Anthropic's interface, as far as the mock reads them, put as those it answers."""

from collections.abc import Iterator
from typing import Annotated, Any, Literal

import orjson
from pydantic import BeforeValidator, Field, model_validator

from ibex.proxy.providers.mock.requests import (
    CalledFunction,
    ChatRequest,
    Function,
    Message,
    ModelRequest,
    NamedToolChoice,
    Part,
    PastToolCall,
    Tool,
    ToolChoiceFunction,
    Wire,
    as_parts,
)

_TOOL_CHOICES: dict[str, Literal["none", "auto", "required"]] = {
    "auto": "auto",
    "any": "required",
    "none": "none",
}


class Block(Wire):
    type: str
    text: str | None = None
    id: str | None = None
    name: str | None = None
    input: dict[str, Any] | None = None
    tool_use_id: str | None = None
    content: Annotated[list["Block"] | dict[str, Any] | None, BeforeValidator(as_parts)] = None

    @model_validator(mode="after")
    def _has_its_text(self) -> "Block":
        if self.type == "text" and self.text is None:
            raise ValueError("a block of type 'text' needs 'text'")
        return self


Blocks = Annotated[list[Block], BeforeValidator(as_parts)]


class Turn(Wire):
    role: Literal["user", "assistant", "system"]
    content: Blocks


class OfferedTool(Wire):
    """A tool of the client's, or one of the provider's own, which the mock does not have."""

    type: str | None = None
    name: Annotated[str, Field(pattern=r"^[a-zA-Z0-9_-]{1,128}$")]
    input_schema: dict[str, Any] | None = None


class ToolChoice(Wire):
    type: Literal["auto", "any", "tool", "none"]
    name: str | None = None
    disable_parallel_tool_use: bool | None = None


class MessagesRequest(ModelRequest):
    max_tokens: Annotated[int, Field(ge=1)]
    messages: Annotated[list[Turn], Field(min_length=1)]
    system: Blocks | None = None
    stream: bool | None = None
    stop_sequences: list[str] | None = None
    tools: list[OfferedTool] | None = None
    tool_choice: ToolChoice | None = None

    def as_chat(self) -> ChatRequest:
        """The same request in the form that the mock answers."""
        choice = self.tool_choice
        chat = ChatRequest(
            model=self.model,
            messages=[*self._system(), *(message for turn in self.messages for message in _messages(turn))],
            stream=self.stream,
            max_tokens=self.max_tokens,
            parallel_tool_calls=not (choice and choice.disable_parallel_tool_use),
        )
        # What OpenAI limits, or asks to agree with other fields, is not checked here.
        return chat.model_copy(
            update={
                "stop": self.stop_sequences,
                "tools": [
                    Tool.model_construct(
                        type="function",
                        function=Function.model_construct(name=tool.name, parameters=tool.input_schema),
                    )
                    for tool in self.tools or ()
                    if tool.type in (None, "custom")
                ],
                "tool_choice": _choice(choice),
            }
        )

    def _system(self) -> list[Message]:
        return [Message(role="system", content=_parts(self.system))] if self.system else []


def _choice(choice: ToolChoice | None) -> Literal["none", "auto", "required"] | NamedToolChoice | None:
    if choice is None:
        return None
    if choice.type == "tool":
        return NamedToolChoice(type="function", function=ToolChoiceFunction(name=choice.name or ""))
    return _TOOL_CHOICES[choice.type]


def _messages(turn: Turn) -> Iterator[Message]:
    """Results of tools are messages of their own, and so is each text before the last one of a turn.

    The last text is what is asked; what stands before it is context.
    """
    if turn.role == "assistant":
        yield Message(role="assistant", content=_parts(turn.content), tool_calls=_calls(turn.content))
        return
    for block in turn.content:
        if block.type == "tool_result":
            told = block.content if isinstance(block.content, list) else []
            yield Message(role="tool", tool_call_id=block.tool_use_id or "", content=_parts(told))
    said = [block for block in turn.content if block.type != "tool_result"]
    texts = [block for block in said if block.type == "text"]
    for block in texts[:-1]:
        yield Message(role=turn.role, content=_parts([block]))
    if said or not turn.content:
        rest = [block for block in said if block.type != "text" or block is texts[-1]]
        yield Message(role=turn.role, content=_parts(rest))


def _parts(blocks: list[Block]) -> list[Part]:
    return [Part(type=block.type, text=block.text) for block in blocks if block.type != "tool_use"]


def _calls(blocks: list[Block]) -> list[PastToolCall]:
    return [
        PastToolCall(
            id=block.id or "",
            function=CalledFunction(
                name=block.name or "", arguments=orjson.dumps(block.input or {}).decode()
            ),
        )
        for block in blocks
        if block.type == "tool_use"
    ]
