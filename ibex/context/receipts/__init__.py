"""Receipts: what each call was told, stored with it and read by whoever asks why."""

from ibex.context.receipts.log import ReceiptLog
from ibex.context.receipts.receipt import (
    Considered,
    DirectiveGiven,
    LeftOut,
    Receipt,
    Rung,
    Source,
    TokenSplit,
)
from ibex.context.receipts.service import ReadReceipt, Receipts

__all__ = [
    "Considered",
    "DirectiveGiven",
    "LeftOut",
    "ReadReceipt",
    "Receipt",
    "ReceiptLog",
    "Receipts",
    "Rung",
    "Source",
    "TokenSplit",
]
