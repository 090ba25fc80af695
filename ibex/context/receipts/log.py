"""Receipts on their way to the database."""

from collections.abc import Callable, Sequence
from itertools import groupby
from uuid import UUID

from ibex.context.receipts import repository
from ibex.context.receipts.receipt import Receipt
from ibex.storage import Postgres
from ibex.storage.write_behind import WriteBehind


class ReceiptLog(WriteBehind[Receipt]):
    """Takes receipts without waiting and stores them in batches, one transaction per organization."""

    def __init__(self, postgres: Postgres, *, capacity: int, dropped: Callable[[int], None]) -> None:
        async def write(receipts: Sequence[Receipt]) -> None:
            for org_id, group in groupby(sorted(receipts, key=_org), key=_org):
                await repository.insert(postgres, org_id, list(group))

        super().__init__(write, dropped=dropped, capacity=capacity)


def _org(receipt: Receipt) -> UUID:
    return receipt.org_id
