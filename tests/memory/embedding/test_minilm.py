"""The model that runs here gives the vectors that it was published with, nearly."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ibex.memory.embedding.minilm import LONGEST, MiniLM
from tests.memory.embedding.reference import Reference

# The first numbers of vectors that PyTorch and the model's own code give, in float32.
_REFERENCE = {
    "The cat sat on the mat.": (0.13023712, -0.01577285, -0.03671673, 0.05798642, -0.05979172, 0.03305371),
    "Déjà vu: naïve café, 東京 & Ünïcödé!": (
        *(0.06302533, 0.00471709, 0.08821559),
        *(-0.03237555, -0.03797075, -0.02291383),
    ),
    "hello": (-0.06277183, 0.05495878, 0.05216484, 0.08579003, -0.08274893, -0.07457299),
}


@pytest.fixture(scope="module")
def reference(model_files: Path) -> Reference:
    return Reference(model_files)


@pytest.mark.parametrize("text", _REFERENCE)
def test_the_reference_gives_the_vectors_that_were_published(
    minilm: MiniLM, reference: Reference, text: str
) -> None:
    assert reference.vector(minilm.split(text))[:6] == pytest.approx(_REFERENCE[text], abs=1e-5)


@pytest.mark.parametrize("text", [*_REFERENCE, "word " * 300, "When did Ada move to the house by the sea?"])
def test_vectors_are_nearly_those_of_the_reference(minilm: MiniLM, reference: Reference, text: str) -> None:
    (vector,) = minilm.vectors([minilm.split(text)])

    assert vector @ reference.vector(minilm.split(text)) > 0.985
    assert np.linalg.norm(vector) == pytest.approx(1.0, abs=1e-6)


def test_a_question_is_nearest_to_its_answer(minilm: MiniLM) -> None:
    answers = [
        "The printer on the second floor is out of toner.",
        "My sister moved to Lisbon last spring.",
        "We deploy on Thursdays, after the tests have passed.",
        "I am allergic to peanuts.",
    ]
    questions = ["Who lives in Portugal?", "Which food must be avoided?", "When is the software released?"]

    found = minilm.vectors([minilm.split(text) for text in (*answers, *questions)])

    assert (found[4:] @ found[:4].T).argmax(axis=1).tolist() == [1, 3, 2]


def test_a_batch_gives_what_each_text_gives_alone(minilm: MiniLM) -> None:
    texts = [minilm.split(text) for text in ("short", "a few more words than that", "word " * 200, "")]

    together = minilm.vectors(texts)

    for text, vector in zip(texts, together, strict=True):
        assert minilm.vectors([text])[0] == pytest.approx(vector, abs=1e-6)


def test_of_a_long_text_the_beginning_counts(minilm: MiniLM) -> None:
    beginning = "river " * (LONGEST - 2)
    whole = minilm.split(beginning + "mountain " * 1_000_000)

    assert len(whole) == LONGEST
    assert whole == minilm.split(beginning)
    assert whole != minilm.split("river " * (LONGEST - 3))


def test_the_runtime_is_told_to_report_nothing_and_has_no_threads_of_its_own(model_files: Path) -> None:
    script = (
        "import os, sys, threading\n"
        "import ibex.memory.embedding\n"
        "assert 'onnxruntime' not in sys.modules\n"
        "from pathlib import Path\n"
        "from ibex.memory.embedding.minilm import MiniLM\n"
        "model = MiniLM(Path(sys.argv[1]))\n"
        "model.vectors([model.split('hello')])\n"
        "print(os.environ['ORT_DISABLE_TELEMETRY'], len(os.listdir('/proc/self/task')))\n"
    )

    ran = subprocess.run(
        [sys.executable, "-c", script, str(model_files)],
        env={"OPENBLAS_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (ran.stdout, ran.stderr) == ("1 1\n", "")
