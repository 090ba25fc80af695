"""Whose memories somebody may touch."""

from ibex.auth.actor import Actor
from ibex.auth.agents.ownership import check_owner
from ibex.auth.names import no_access
from ibex.memory.memory import Memory


def check_reader(actor: Actor, memory: Memory) -> None:
    """What all agents of an organization share may be read by each of them."""
    if memory.visibility != "org":
        check_owner(actor, memory.agent_id)


def found(memory: Memory | None) -> Memory:
    """Raises ACCESS_DENIED when there is none."""
    if memory is None:
        raise no_access("memory")
    return memory
