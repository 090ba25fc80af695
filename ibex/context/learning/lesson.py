"""What there is to learn from a turn."""

import re
from hashlib import sha256
from itertools import chain

from ibex.context.formatting import without_blocks
from ibex.context.learning.corrections import is_correction
from ibex.context.learning.repetition import without_repetition
from ibex.context.learning.sentences import sentences
from ibex.context.learning.small_talk import is_small_talk
from ibex.context.learning.turn import FinishedTurn, Lesson, Role, Said
from ibex.context.learning.use import used
from ibex.memory import Tokenizer, screened_text

# Some five thousand tokens. Whoever pastes a book has it remembered as a document, not as something said.
LONGEST = 20_000
# What is said back to a greeting is a greeting as well, unless it goes on.
_LONGEST_GREETING = 200
# The write path refuses what is no text.
_NOT_TEXT = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")


def lesson_of(turn: FinishedTurn, answer: str, pii: str, tokenizer: Tokenizer) -> Lesson:
    """What was said that is worth remembering, and what the answer shows of the memories it was given.

    Nothing that was injected comes back: blocks of memories are cut out, and the sentences of the answer that
    say again what the model was told.

    `pii` is what the organization wants done with personal data.
    """
    question, answer = _cleaned(turn.question), _cleaned(answer)
    asked, answered = sentences(question, tokenizer), sentences(answer, tokenizer)
    told = [sentences(each.text, tokenizer) for each in turn.told]
    new = without_repetition(answered, [*chain.from_iterable(told), *asked])
    said: list[Said] = []
    is_polite = is_small_talk(question)
    if not is_polite:
        said.append(_said("user", question, pii))
    if not is_small_talk(new) and not (is_polite and len(new) <= _LONGEST_GREETING):
        said.append(_said("assistant", new, pii))
    return Lesson(
        scope=turn.scope,
        turn_id=turn.turn_id,
        trace_id=turn.trace_id,
        at=turn.at,
        said=tuple(said),
        question=sha256(question.encode()).hexdigest() if question else "",
        used=tuple(
            each.id
            for each, is_used in zip(turn.told, used(answered, asked, told), strict=True)
            if is_used and each.id is not None
        ),
        is_correction=is_correction(question),
    )


def _cleaned(text: str) -> str:
    return _NOT_TEXT.sub("", without_blocks(text))[:LONGEST].strip()


def _said(role: Role, text: str, pii: str) -> Said:
    screened = screened_text(text, pii)
    return Said(role, screened.text, screened.is_quarantined)
