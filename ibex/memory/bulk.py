"""Many memories in one request, of several end users and sessions if need be."""

from uuid import UUID

from ibex.auth.actor import Actor
from ibex.auth.names import invalid
from ibex.errors import IbexError
from ibex.memory.lifecycle.service import MemoryLifecycle
from ibex.memory.memory import NewMemory, Scope
from ibex.memory.schemas import NewMemories, NewMemoryBody
from ibex.memory.writing.writer import MOST_AT_ONCE, Answer, MemoryWriter


async def write_all(
    writer: MemoryWriter, lifecycle: MemoryLifecycle, actor: Actor, body: NewMemories
) -> list[Answer]:
    """An answer to each, in their order; those of one scope are written together.

    Raises VALIDATION_ERROR when there are too many or none, and what `agent_of` raises for the agent of all.
    """
    if not 1 <= len(body.memories) <= MOST_AT_ONCE:
        raise invalid(
            "memories",
            f"Between 1 and {MOST_AT_ONCE} memories are written at once, not {len(body.memories)}.",
        )
    answers: dict[int, Answer] = {}
    scopes: dict[Scope, dict[int, NewMemory]] = {}
    agents: dict[str | None, UUID | IbexError] = {}
    if any(item.agent_id is None for item in body.memories):
        agents[body.agent_id] = await lifecycle.agent(actor, body.agent_id)
    for position, item in enumerate(body.memories):
        reference = item.agent_id or body.agent_id
        if reference not in agents:
            agents[reference] = await _agent(lifecycle, actor, reference)
        scope = _scope(actor, agents[reference], body, item)
        new = _new(item)
        if isinstance(scope, IbexError):
            answers[position] = scope
        elif isinstance(new, IbexError):
            answers[position] = new
        else:
            scopes.setdefault(scope, {})[position] = new
    for scope, news in scopes.items():
        answers |= await _write(writer, actor, scope, news)
    return [answers[position] for position in range(len(body.memories))]


async def _agent(lifecycle: MemoryLifecycle, actor: Actor, reference: str | None) -> UUID | IbexError:
    try:
        return await lifecycle.agent(actor, reference)
    except IbexError as error:
        return error


def _scope(
    actor: Actor, agent: UUID | IbexError, body: NewMemories, item: NewMemoryBody
) -> Scope | IbexError:
    if isinstance(agent, IbexError):
        return agent
    return Scope(actor.org_id, agent, item.user_id or body.user_id, item.session_id or body.session_id)


def _new(item: NewMemoryBody) -> NewMemory | IbexError:
    try:
        return item.new_memory()
    except IbexError as error:
        return error


async def _write(
    writer: MemoryWriter, actor: Actor, scope: Scope, news: dict[int, NewMemory]
) -> dict[int, Answer]:
    try:
        written = await writer.write_many(actor, scope, list(news.values()))
    except IbexError as error:
        written = [error] * len(news)
    return dict(zip(news, written, strict=True))
