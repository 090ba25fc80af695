"""The index by which the vectors of the model in use are found among very many."""

from collections.abc import Callable

from ibex.memory.embedding import EmbeddingModel
from ibex.memory.repository.vector_index import VectorIndexError, make_index


def index_vectors(model: EmbeddingModel | None, dsn: str, report: Callable[[str], None]) -> None:
    """Have the index of a model; without one a search compares all vectors of its scope.

    It raises nothing: what is wrong is reported in a sentence.

    Parameters
    ----------
    dsn: of the owner of the schema.
    """
    if model is None:
        return
    try:
        make_index(dsn, model, report)
    except VectorIndexError as error:
        report(
            f"The index for vectors of {model.name} cannot be made ({error}). More than 100,000 memories of "
            "a scope are searched without it, which is slower. `ibex migrate` makes it, when "
            "IBEX_POSTGRES_MIGRATION_DSN is the address of the owner of the schema."
        )
