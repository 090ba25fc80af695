"""Writes graphs in the format of ONNX, whose own package would be 35 MB for a few kilobytes.

Source of the field numbers: onnx.proto, IR version 9, in the protocol buffers encoding.
"""

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

_IR_VERSION = 9
_OPERATORS = 20
FLOAT, UINT8 = 1, 2
_KINDS = {"float32": FLOAT, "uint8": UINT8, "int8": 3, "int64": 7}
_ATTRIBUTE_FLOAT, _ATTRIBUTE_INT, _ATTRIBUTE_INTS = 1, 2, 7
Attribute = int | float | Sequence[int]


@dataclass(slots=True)
class Graph:
    """Gathers nodes and constants; every method gives the name of what it added."""

    _parts: list[bytes] = field(default_factory=list)
    _count: int = 0

    def node(self, operator: str, *inputs: str, **attributes: Attribute) -> str:
        """The first output of an operator."""
        return self.nodes(operator, inputs, 1, attributes)[0]

    def nodes(
        self, operator: str, inputs: Sequence[str], outputs: int, attributes: Mapping[str, Attribute]
    ) -> list[str]:
        names = [self._name() for _ in range(outputs)]
        self._parts.append(
            _message(
                1,
                *(_text(1, name) for name in inputs),
                *(_text(2, name) for name in names),
                _text(4, operator),
                *(_attribute(name, value) for name, value in attributes.items()),
            )
        )
        return names

    def constant(self, values: NDArray[Any]) -> str:
        """Numbers that stand in the graph itself: float32, uint8, int8 or int64."""
        name = self._name()
        kind = _KINDS[values.dtype.name]
        self._parts.append(
            _message(5, *_tensor(name, values.shape, kind), _bytes(9, np.ascontiguousarray(values).tobytes()))
        )
        return name

    def model(self, inputs: Mapping[str, Sequence[str | int]], output: str, width: int) -> bytes:
        """The whole model: float32 inputs with these shapes, one output of shape (any, `width`)."""
        graph = _message(
            7,
            *self._parts,
            _text(2, "graph"),
            *(_value(11, name, shape) for name, shape in inputs.items()),
            _value(12, output, ("rows", width)),
        )
        return b"".join((_number(1, _IR_VERSION), graph, _message(8, _text(1, ""), _number(2, _OPERATORS))))

    def _name(self) -> str:
        self._count += 1
        return f"t{self._count}"


def _tensor(name: str, shape: Sequence[int], kind: int) -> list[bytes]:
    return [*(_number(1, size) for size in shape), _number(2, kind), _text(8, name)]


def _value(place: int, name: str, shape: Sequence[str | int]) -> bytes:
    sizes = (_message(1, _number(1, s) if isinstance(s, int) else _text(2, s)) for s in shape)
    return _message(place, _text(1, name), _message(2, _message(1, _number(1, FLOAT), _message(2, *sizes))))


def _attribute(name: str, value: Attribute) -> bytes:
    if isinstance(value, float):
        content = [b"\x15" + struct.pack("<f", value), _number(20, _ATTRIBUTE_FLOAT)]
    elif isinstance(value, int):
        content = [_number(3, value), _number(20, _ATTRIBUTE_INT)]
    else:
        content = [*(_number(8, item) for item in value), _number(20, _ATTRIBUTE_INTS)]
    return _message(5, _text(1, name), *content)


def _message(place: int, *parts: bytes) -> bytes:
    return _bytes(place, b"".join(parts))


def _text(place: int, text: str) -> bytes:
    return _bytes(place, text.encode())


def _bytes(place: int, content: bytes) -> bytes:
    return _varint(place << 3 | 2) + _varint(len(content)) + content


def _number(place: int, number: int) -> bytes:
    return _varint(place << 3) + _varint(number)


def _varint(number: int) -> bytes:
    """Seven bits a byte, the lowest first; a negative number as its two's complement of 64 bits."""
    number &= (1 << 64) - 1
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)
