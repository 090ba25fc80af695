"""Whole lines are forwarded, nothing is lost, and nothing is held that could be sent."""

from hypothesis import given
from hypothesis import strategies as st

from ibex.proxy.relay import WholeLines

CHUNKS = st.lists(st.binary(max_size=20) | st.sampled_from([b"data: x\n\n", b"\n", b"\r\n", b"\r", b"dat"]))


def feed(chunks: list[bytes]) -> tuple[list[bytes], bytes]:
    lines = WholeLines()
    return [piece for chunk in chunks if (piece := lines.feed(chunk))], lines.rest()


@given(CHUNKS)
def test_the_pieces_are_the_whole(chunks: list[bytes]) -> None:
    pieces, rest = feed(chunks)
    assert b"".join(pieces) + rest == b"".join(chunks)


@given(CHUNKS)
def test_every_piece_but_the_rest_ends_a_line(chunks: list[bytes]) -> None:
    pieces, rest = feed(chunks)
    assert all(piece.endswith(b"\n") for piece in pieces)
    assert b"\n" not in rest


def test_a_line_that_is_too_long_to_be_held_is_forwarded_as_it_comes() -> None:
    chunk = b"x" * 100_000
    pieces, rest = feed([chunk] * 10)
    assert b"".join(pieces) + rest == chunk * 10
    assert len(rest) <= 256 << 10
