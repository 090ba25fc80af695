"""A receipt, for people."""

from collections.abc import Iterator, Mapping
from typing import Any

import click

_WIDTH = 72


def told(receipt: Mapping[str, Any]) -> str:
    return "\n".join(_lines(receipt))


def _lines(receipt: Mapping[str, Any]) -> Iterator[str]:
    tokens, timings = receipt["tokens"], receipt["timings_ms"]
    memories = receipt["memories"]
    included = [memory for memory in memories if memory["included"]]
    yield f"  memories   {len(memories)} considered, {len(included)} told; rung `{receipt['rung']}`"
    for memory in memories:
        yield _memory(memory)
    yield (
        f"  tokens     {tokens['memories']} of {tokens['available']} for memories, "
        f"{tokens['messages']} of the message itself"
    )
    yield f"  time       {timings['all']:.1f} ms in all, {timings['retrieval']:.1f} ms of it to search"
    yield f"  from       GET /v1/traces/{receipt['id']}/context"


def _memory(memory: Mapping[str, Any]) -> str:
    text = " ".join((memory["content"] or "(not stored yet)").split())
    shown = text if len(text) <= _WIDTH else f"{text[: _WIDTH - 1]}…"
    if memory["included"]:
        return f"    {click.style('+', fg='green')} {memory['score']:5.2f}  {shown}"
    return click.style(f"    - {memory['score']:5.2f}  {shown} ({memory['reason']})", dim=True)
