"""The requests of OpenAI's interface, as far as the mock reads them; other fields are ignored."""

from typing import Annotated, Any, Literal, TypeVar

import orjson
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from ibex.proxy.providers.mock.errors import InvalidRequestError

# Limits that OpenAI states in its reference; the widest vectors in common use have 4,096 dimensions.
_MOST_CHOICES = 128
_MOST_TOOLS = 128
_MOST_STOP_SEQUENCES = 4
_MOST_INPUTS = 2_048
_MOST_DIMENSIONS = 4_096


def as_parts(content: object) -> object:
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def _as_list(value: object) -> object:
    return [value] if isinstance(value, str) else value


def _as_inputs(value: object) -> object:
    """Several inputs always; a list of numbers is the tokens of a single one."""
    if isinstance(value, str) or (isinstance(value, list) and value and isinstance(value[0], int)):
        return [value]
    return value


class Wire(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True, extra="ignore")


class Part(Wire):
    type: str
    text: str | None = None

    @model_validator(mode="after")
    def _has_its_text(self) -> "Part":
        if self.type == "text" and self.text is None:
            raise ValueError("a part of type 'text' needs 'text'")
        return self


class CalledFunction(Wire):
    name: str
    arguments: str


class PastToolCall(Wire):
    id: str
    function: CalledFunction | None = None


class Message(Wire):
    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: Annotated[list[Part] | None, BeforeValidator(as_parts)] = None
    tool_calls: list[PastToolCall] | None = None
    tool_call_id: str | None = None

    @model_validator(mode="after")
    def _is_whole(self) -> "Message":
        if self.content is None and self.role != "assistant":
            raise ValueError(f"a message of role '{self.role}' needs 'content'")
        if self.tool_call_id is None and self.role == "tool":
            raise ValueError("a message of role 'tool' needs 'tool_call_id'")
        return self

    @property
    def text(self) -> str:
        return "\n".join(part.text or "" for part in self.content or () if part.type == "text")

    @property
    def attachments(self) -> list[str]:
        """The types of the parts that are not text."""
        return [part.type for part in self.content or () if part.type != "text"]


class Function(Wire):
    name: Annotated[str, Field(pattern=r"^[a-zA-Z0-9_-]{1,64}$")]
    parameters: dict[str, Any] | None = None


class Tool(Wire):
    type: Literal["function"]
    function: Function


class ToolChoiceFunction(Wire):
    name: str


class NamedToolChoice(Wire):
    type: Literal["function"]
    function: ToolChoiceFunction


class JsonSchema(Wire):
    name: str
    # `schema` is a method of pydantic's own.
    definition: Annotated[dict[str, Any] | None, Field(alias="schema")] = None


class ResponseFormat(Wire):
    type: Literal["text", "json_object", "json_schema"]
    json_schema: JsonSchema | None = None


class StreamOptions(Wire):
    include_usage: bool | None = None


class ModelRequest(Wire):
    """What every request has."""

    model: Annotated[str, Field(min_length=1)]


class ChatRequest(ModelRequest):
    messages: Annotated[list[Message], Field(min_length=1)]
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    n: Annotated[int, Field(ge=1, le=_MOST_CHOICES)] | None = None
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    max_completion_tokens: Annotated[int, Field(ge=1)] | None = None
    stop: Annotated[
        Annotated[list[str], Field(max_length=_MOST_STOP_SEQUENCES)] | None, BeforeValidator(_as_list)
    ] = None
    response_format: ResponseFormat | None = None
    tools: Annotated[list[Tool], Field(max_length=_MOST_TOOLS)] | None = None
    tool_choice: Literal["none", "auto", "required"] | NamedToolChoice | None = None
    parallel_tool_calls: bool | None = None

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> "ChatRequest":
        if self.stream_options is not None and not self.stream:
            raise ValueError("'stream_options' is only allowed when 'stream' is true")
        if self.tool_choice not in (None, "none") and not self.tools:
            raise ValueError("'tool_choice' is only allowed when 'tools' are given")
        if isinstance(self.tool_choice, NamedToolChoice):
            named = self.tool_choice.function.name
            if all(tool.function.name != named for tool in self.tools or ()):
                raise ValueError(f"'tool_choice' names '{named}', which is not among 'tools'")
        return self

    @property
    def includes_usage(self) -> bool:
        return self.stream_options is not None and bool(self.stream_options.include_usage)

    @property
    def question(self) -> Message | None:
        """The last message of the user."""
        return next((message for message in reversed(self.messages) if message.role == "user"), None)

    @property
    def longest_answer(self) -> int | None:
        return self.max_completion_tokens or self.max_tokens


TokenIds = Annotated[list[Annotated[int, Field(ge=0)]], Field(min_length=1)]


class EmbeddingsRequest(ModelRequest):
    input: Annotated[
        list[Annotated[str, Field(min_length=1)]] | list[TokenIds],
        Field(min_length=1, max_length=_MOST_INPUTS),
        BeforeValidator(_as_inputs),
    ]
    dimensions: Annotated[int, Field(ge=1, le=_MOST_DIMENSIONS)] | None = None
    encoding_format: Literal["float", "base64"] | None = None


Request = TypeVar("Request", bound=ModelRequest)


def parse(kind: type[Request], body: bytes) -> Request:
    """Raises `InvalidRequestError` for whatever is not a request of this kind."""
    try:
        content = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise InvalidRequestError("We could not parse the JSON body of your request.") from error
    if not isinstance(content, dict):
        raise InvalidRequestError("The body of a request is a JSON object.")
    try:
        return kind.model_validate(content)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        raise _as_invalid_request(first["type"], first["msg"], first["loc"], content) from error


def _as_invalid_request(
    kind: str, reason: str, location: tuple[int | str, ...], content: object
) -> InvalidRequestError:
    param = _path(location, content) or None
    if kind == "missing":
        return InvalidRequestError(
            f"Missing required parameter: '{param}'.", param, "missing_required_parameter"
        )
    code = "invalid_type" if kind.endswith("_type") else "invalid_value"
    reason = reason.removeprefix("Value error, ")
    return InvalidRequestError(
        f"Invalid value for '{param}': {reason}." if param else f"Invalid request: {reason}.", param, code
    )


def _path(location: tuple[int | str, ...], content: object) -> str:
    """`messages[0].role`; what pydantic adds to name the branch of a union is left out."""
    path = ""
    for position, step in enumerate(location):
        is_last = position == len(location) - 1
        if isinstance(step, int):
            # A string that stands for a list has no items of its own in the body.
            if not isinstance(content, list) or step >= len(content):
                break
            path += f"[{step}]"
            content = content[step]
        elif isinstance(content, dict) and (step in content or (is_last and step.isidentifier())):
            path += f".{step}" if path else step
            content = content.get(step)
    return path
