"""Where the tensors lie in a file of weights. Format: https://huggingface.co/docs/safetensors."""

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

_LONGEST_HEADER = 1 << 20


@dataclass(frozen=True, slots=True)
class StoredTensor:
    """A float32 tensor, little-endian and in C order; `offset` and `length` in bytes of the whole file."""

    shape: tuple[int, ...]
    offset: int
    length: int


def stored_tensors(file: Path) -> Mapping[str, StoredTensor]:
    """The float32 tensors of a file by name. Raises `OSError` or `ValueError`."""
    with file.open("rb") as stream:
        (size,) = struct.unpack("<Q", stream.read(8).ljust(8, b"\0"))
        if not 0 < size <= _LONGEST_HEADER:
            raise ValueError("not a file of weights")
        header = json.loads(stream.read(size))
    begin = 8 + size
    return {
        name: StoredTensor(
            tuple(entry["shape"]),
            begin + entry["data_offsets"][0],
            entry["data_offsets"][1] - entry["data_offsets"][0],
        )
        for name, entry in header.items()
        if entry.get("dtype") == "F32"
    }


def mapped(file: Path, tensor: StoredTensor) -> NDArray[np.float32]:
    """A tensor that stays in the file: only rows that are read take memory, which processes share."""
    return np.memmap(file, dtype="<f4", mode="r", offset=tensor.offset, shape=tensor.shape)
