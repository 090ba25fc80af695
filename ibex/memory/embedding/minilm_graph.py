"""The layers of all-MiniLM-L6-v2 as a graph, over weights that stay in their file.

Source: Devlin et al., BERT (2019), for the encoder; Reimers and Gurevych, Sentence-BERT (2019), for the mean
over word pieces; the model's own config.json for the sizes. GELU is exact, by the error function.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ibex.memory.embedding.onnx_format import Graph
from ibex.memory.embedding.safetensors import StoredTensor

WIDTH = 384
_LAYERS = 6
_HEADS = 12
_EPSILON = 1e-12
# What is added to the score of padding: after softmax nothing is left of it.
_NEVER = np.float32(-1e9)


def minilm_graph(weights: Mapping[str, StoredTensor], file: Path) -> bytes:
    """From `embedded` (texts, pieces, 384) and `mask` (texts, pieces) to vectors (texts, 384), unit norm.

    In the mask 1 is a piece and 0 is padding.
    Tokens go through the linear layers as rows of one matrix, in which the weights fit as they are stored.
    Raises `KeyError` when a weight is missing.
    """
    return _Builder(weights, file.name).model()


class _Builder:
    def __init__(self, weights: Mapping[str, StoredTensor], file: str) -> None:
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
        scale = graph.constant(np.array(1 / np.sqrt(WIDTH / _HEADS), np.float32))
        query = graph.node("Mul", self._linear(hidden, f"{name}.query"), scale)
        query = self._by_head(query, heads, (0, 2, 1, 3))
        key = self._by_head(self._linear(hidden, f"{name}.key"), heads, (0, 2, 3, 1))
        value = self._by_head(self._linear(hidden, f"{name}.value"), heads, (0, 2, 1, 3))
        scores = graph.node("Add", graph.node("MatMul", query, key), bias)
        mixed = graph.node("MatMul", graph.node("Softmax", scores, axis=-1), value)
        return graph.node("Reshape", graph.node("Transpose", mixed, perm=(0, 2, 1, 3)), self._rows)

    def _by_head(self, rows: str, heads: str, order: tuple[int, ...]) -> str:
        return self._graph.node("Transpose", self._graph.node("Reshape", rows, heads), perm=order)

    def _linear(self, rows: str, name: str) -> str:
        weight, bias = self._stored(f"{name}.weight"), self._stored(f"{name}.bias")
        return self._graph.node("Gemm", rows, weight, bias, transB=1)

    def _norm(self, rows: str, name: str) -> str:
        gain, bias = self._stored(f"{name}.LayerNorm.weight"), self._stored(f"{name}.LayerNorm.bias")
        return self._graph.node("LayerNormalization", rows, gain, bias, axis=-1, epsilon=_EPSILON)

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

    def _stored(self, name: str) -> str:
        return self._graph.stored(self._weights[name], self._file)
