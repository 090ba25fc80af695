"""What a model is told beside what its client sent, and the record of it."""

from ibex.context.assembled import Assembled
from ibex.context.assembly import Assembler
from ibex.context.learning import FinishedTurn, Learning
from ibex.context.observation import UsageObserver
from ibex.context.receipts import ReceiptLog
from ibex.context.turn import ChatTurn

__all__ = [
    "Assembled",
    "Assembler",
    "ChatTurn",
    "FinishedTurn",
    "Learning",
    "ReceiptLog",
    "UsageObserver",
]
