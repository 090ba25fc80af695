"""Jobs that were given up, until somebody replays or discards them."""

from ibex.workers.dead_letters.box import DeadLetterBox
from ibex.workers.dead_letters.letter import DeadLetter
from ibex.workers.dead_letters.retention import expire_dead_letters
from ibex.workers.dead_letters.service import DeadLetterService, Requeue

__all__ = ["DeadLetter", "DeadLetterBox", "DeadLetterService", "Requeue", "expire_dead_letters"]
