"""Why a model said what it said: receipts with what the memories in them say."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import UUID

from ibex.auth import Actor, Permission
from ibex.auth.names import no_access
from ibex.context.receipts import repository
from ibex.context.receipts.receipt import Receipt
from ibex.errors import ErrorCode, IbexError
from ibex.memory import MemoryLifecycle
from ibex.storage import Postgres


@dataclass(frozen=True, slots=True)
class ReadReceipt:
    """A receipt, and the texts of its memories by id, as far as whoever reads it may see them."""

    receipt: Receipt
    texts: Mapping[UUID, str] = field(repr=False)


class Receipts:
    """Reads receipts of one organization at a time."""

    def __init__(self, postgres: Postgres, memories: MemoryLifecycle) -> None:
        self._postgres = postgres
        self._memories = memories

    async def get(self, actor: Actor, request_id: UUID) -> ReadReceipt:
        """By the id of a request or of its trace.

        Texts are for who may read memories; erased ones are gone from here too.
        Raises ACCESS_DENIED when there is none, AGENT_NOT_AUTHORIZED when it is another agent's.
        """
        receipt = await repository.find(self._postgres, actor.org_id, request_id)
        if receipt is None:
            raise no_access("trace")
        if actor.agent_id not in (None, receipt.agent_id):
            raise IbexError(ErrorCode.AGENT_NOT_AUTHORIZED, "The token is bound to another agent.")
        return ReadReceipt(receipt, await texts_in(self._memories, actor, receipt))


async def texts_in(memories: MemoryLifecycle, actor: Actor, receipt: Receipt) -> Mapping[UUID, str]:
    """What the memories of a receipt said then, by id; nothing for who may not read memories."""
    ids = [each.memory_id for each in receipt.considered if each.memory_id is not None]
    if not ids or not actor.may(Permission.MEMORY_READ):
        return {}
    return await memories.reader.told(actor, receipt.agent_id, ids, receipt.at)
