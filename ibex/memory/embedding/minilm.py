"""all-MiniLM-L6-v2, run here by ONNX Runtime."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ibex.memory.embedding.embedder import EmbeddingModel
from ibex.memory.embedding.minilm_files import NAME, VOCABULARY, WEIGHTS
from ibex.memory.embedding.minilm_graph import WIDTH, minilm_graph
from ibex.memory.embedding.safetensors import mapped, stored_tensors
from ibex.memory.embedding.wordpiece import WordPieces

# The model has places for 512, but was trained to give a text's meaning from 256 at most.
LONGEST = 256
# A megabyte is not split for the sake of its beginning. Blanks and marks that are dropped may fill this much,
# words do not.
_MOST_CHARACTERS = LONGEST * 64


class MiniLM:
    """Vectors of texts, on the thread that calls. Several threads may call at once.

    The words' own vectors, half of the file, stay in it and are shared by all processes; a process has about
    15 MB for the rest, and 30 MB for the runtime.

    Raises `OSError`, `ValueError` or `KeyError` when the files are not those of the model, and `ImportError`
    without the packages of `ibex[embeddings]`.
    """

    def __init__(self, folder: Path) -> None:
        file = folder / WEIGHTS.name
        weights = stored_tensors(file)
        self._words = mapped(file, weights["embeddings.word_embeddings.weight"])
        places = mapped(file, weights["embeddings.position_embeddings.weight"])[:LONGEST]
        self._places = places + mapped(file, weights["embeddings.token_type_embeddings.weight"])[0]
        self._pieces = WordPieces((folder / VOCABULARY.name).read_text("utf-8").splitlines())
        self._session = _session(minilm_graph(weights, file))
        self.model = EmbeddingModel(NAME, WEIGHTS.sha256[:12], WIDTH)

    def split(self, text: str) -> list[int]:
        """The numbers of a text's word pieces. What is beyond those that the model reads is left out."""
        return self._pieces.split(text[:_MOST_CHARACTERS], LONGEST)

    def vectors(self, texts: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        """Unit vectors of texts that have been split, shape (texts, 384). They are padded to the longest."""
        longest = max(map(len, texts))
        numbers = np.zeros((len(texts), longest), np.int64)
        mask = np.zeros((len(texts), longest), np.float32)
        for row, text in enumerate(texts):
            numbers[row, : len(text)] = text
            mask[row, : len(text)] = 1
        embedded = self._words[numbers] + self._places[:longest]
        found: NDArray[np.float32] = self._session.run(None, {"embedded": embedded, "mask": mask})[0]
        return found


def _session(graph: bytes) -> Any:
    # Since 1.29 the runtime's official builds report to their maker unless this is set before the import.
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    import onnxruntime

    onnxruntime.disable_telemetry_events()
    options = onnxruntime.SessionOptions()
    # A thread of ours is a thread of the runtime: it has none of its own, which would spin while they wait.
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    # With the arena a process kept 100 MB more after batches of many shapes, and was no faster for it.
    options.enable_cpu_mem_arena = False
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
