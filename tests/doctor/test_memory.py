"""What the doctor says of how memories are found."""

from pathlib import Path
from typing import Any

import pytest

from ibex.doctor.finding import State
from ibex.doctor.memory import retrieval
from ibex.settings import load


@pytest.mark.parametrize(
    ("embedder", "state", "text"),
    [
        ({"kind": "none"}, State.OK, "words alone"),
        ({"kind": "local"}, State.WARNING, "words alone"),
        (
            {"kind": "remote", "url": "http://127.0.0.1:9/v1", "model": "m", "dimensions": 8},
            State.OK,
            "by words and by meaning",
        ),
    ],
)
def test_it_says_how_and_what_to_do(
    tmp_path: Path, embedder: dict[str, Any], state: State, text: str
) -> None:
    finding = retrieval(load({}, overrides={"data_dir": tmp_path, "embedder": embedder}))
    assert finding.state is state
    assert text in finding.text
    assert bool(finding.remedy) == (state is State.WARNING)
