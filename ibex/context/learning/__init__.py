"""What a finished turn teaches: what was said is remembered, and memories that were of use are worth more."""

from ibex.context.learning.capture import TurnCapture
from ibex.context.learning.choices import LearningChoices
from ibex.context.learning.last_turn import LastTurns
from ibex.context.learning.learning import JOB, JobSink, Learning
from ibex.context.learning.pending import PendingTurn, PendingTurns
from ibex.context.learning.turn import FinishedTurn, Lesson, Said, Told

__all__ = [
    "JOB",
    "FinishedTurn",
    "JobSink",
    "LastTurns",
    "Learning",
    "LearningChoices",
    "Lesson",
    "PendingTurn",
    "PendingTurns",
    "Said",
    "Told",
    "TurnCapture",
]
