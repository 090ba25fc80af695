"""How memories are found."""

from ibex.doctor.finding import Finding, ok, warning
from ibex.memory.embedding import readiness
from ibex.settings import Settings


def retrieval(settings: Settings) -> Finding:
    found = readiness(settings)
    if found.retrieval == "hybrid":
        return ok("memory", found.sentence)
    if not found.remedy:
        return ok("memory", f"Memories are found by words alone. {found.reason}")
    return warning("memory", f"Memories are found by words alone. {found.reason}", found.remedy)
