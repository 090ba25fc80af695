"""What is said in sessions, for organizations that want it kept: stored, archived, read, forgotten."""

from ibex.archive.archiving import SessionArchive
from ibex.archive.choices import ContentChoices
from ibex.archive.content import SpokenTurn
from ibex.archive.log import ContentLog
from ibex.archive.orphans import OrphanedObjects
from ibex.archive.reading import SessionContents

__all__ = [
    "ContentChoices",
    "ContentLog",
    "OrphanedObjects",
    "SessionArchive",
    "SessionContents",
    "SpokenTurn",
]
