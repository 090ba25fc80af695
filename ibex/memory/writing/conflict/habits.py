"""Claims about what people like, do, use and are."""

import re

from ibex.memory.writing.conflict.claim import Claim
from ibex.memory.writing.conflict.sentence import Sentence
from ibex.memory.writing.conflict.shape import BE, NOT, PHRASE, VALUE, Shape, Times
from ibex.memory.writing.conflict.subject import WHO, agrees, subject_of
from ibex.memory.writing.conflict.wording import plain, stem, words

_FOND = words("like love enjoy adore")
_AVERSE = words("hate dislike detest")
_DOES = words(
    "eat drink smoke own have drive play speak use watch wear practice study trust need take run attend teach"
)
_GERUNDS = {
    "eating": "eat",
    "drinking": "drink",
    "smoking": "smoke",
    "playing": "play",
    "using": "use",
    "wearing": "wear",
    "watching": "watch",
    "taking": "take",
    "driving": "drive",
    "running": "run",
}
_BASES = _FOND | _AVERSE | _DOES
_VERB = "|".join(sorted(_BASES))
_IRREGULAR = {"has": "have", "watches": "watch", "teaches": "teach", "studies": "study"}
_TRAIT = (
    r"vegetarian|vegan|pescatarian|pregnant|unemployed|retired|sober|diabetic|left-handed|right-handed|"
    r"(?:lactose|gluten) intolerant|smoker|student|allergic to (?:\w+ ?){1,3}"
)


# "it" and "this" point to something else each time; "to go" and "been" are no things.
_NO_THING = re.compile(
    r"(?:it|them|him|her|us|me|you|this|that|these|those|one|to|also|being|been|gone|had|done|got|always|"
    r"already|"
    r"just|such|how|what|where|why|the way)\b",
    re.IGNORECASE,
)
_PARTICIPLE = re.compile(r"\w{3,}ed\b", re.IGNORECASE)


def _act(verb: str) -> str:
    """Verbs of one meaning under one name."""
    return "like" if verb in _FOND or verb in _AVERSE else verb


def _said(
    match: re.Match[str],
    sentence: Sentence,
    speaker: str,
    act: str,
    value: str,
    affirmed: bool,
) -> list[Claim]:
    subject = subject_of(match["who"], speaker)
    if subject is None or not value or _NO_THING.match(value):
        return []
    return [Claim(subject, act, value, affirmed=affirmed)]


def _does(match: re.Match[str], sentence: Sentence, speaker: str) -> list[Claim]:
    verb, no = match["verb"].lower(), (match["no"] or "").lower()
    base = _IRREGULAR.get(verb, verb if verb in _BASES else verb.removesuffix("s"))
    if not no.startswith("do") and not agrees(match["who"], verb, base):
        return []
    if base == "have" and _PARTICIPLE.match(match["thing"]):
        return []
    if no and base in _AVERSE:  # not to hate is not yet to like
        return []
    affirmed = not no and base not in _AVERSE
    return _said(match, sentence, speaker, _act(base), plain(match["thing"]), affirmed)


def _cannot_stand(match: re.Match[str], sentence: Sentence, speaker: str) -> list[Claim]:
    return _said(match, sentence, speaker, "like", plain(match["thing"]), False)


def _starts_or_stops(match: re.Match[str], sentence: Sentence, speaker: str) -> list[Claim]:
    affirmed = match["start"] is not None
    act = _GERUNDS[match["doing"].lower()]
    return _said(match, sentence, speaker, act, plain(match["thing"] or "") or "anything", affirmed)


def _used_to(match: re.Match[str], sentence: Sentence, speaker: str) -> list[Claim]:
    thing = plain(match["thing"] or "") or "anything"
    return _said(match, sentence, speaker, _act(match["verb"].lower()), thing, False)


def _smokes(match: re.Match[str], sentence: Sentence, speaker: str) -> list[Claim]:
    verb, no = match["verb"].lower(), (match["no"] or "").lower()
    if not no.startswith("do") and not agrees(match["who"], verb, verb.removesuffix("s")):
        return []
    return _said(match, sentence, speaker, verb.removesuffix("s"), "anything", not no)


def _switched(match: re.Match[str], sentence: Sentence, speaker: str) -> list[Claim]:
    old, new = plain(match["old"]), plain(match["new"])
    return [
        *_said(match, sentence, speaker, "use", old, False),
        *_said(match, sentence, speaker, "use", new, True),
    ]


def _is(match: re.Match[str], sentence: Sentence, speaker: str) -> list[Claim]:
    trait = "be " + plain(match["trait"])
    return _said(match, sentence, speaker, trait, "so", not match["no"])


def _prefers_over(match: re.Match[str], sentence: Sentence, speaker: str) -> list[Claim]:
    chosen, left = plain(match["chosen"]), plain(match["left"])
    return _prefers(match, sentence, speaker, " or ".join(sorted((chosen, left))), chosen, firm=True)


def _prefers_kind(match: re.Match[str], sentence: Sentence, speaker: str) -> list[Claim]:
    """Of "window seats" and "aisle seats" one is preferred; "short answers" may be polite as well."""
    return _prefers(match, sentence, speaker, stem(match["noun"].lower()), match["kind"].lower(), firm=False)


def _prefers(
    match: re.Match[str], sentence: Sentence, speaker: str, between: str, chosen: str, *, firm: bool
) -> list[Claim]:
    subject = subject_of(match["who"], speaker)
    if subject is None:
        return []
    claim = Claim(
        subject,
        f"preferred {between}",
        chosen,
        exclusive=not sentence.adds,
        firm=firm,
    )
    return [claim]


_DONE = r"(?:'ve |have |has |'s )?(?:just |recently |finally )?"

HABITS = (
    Shape.of(rf"{WHO} (?:now )?uses? (?P<new>{VALUE}) (?:now )?instead of (?P<old>{VALUE})", _switched),
    Shape.of(
        rf"{WHO} (?:now |currently |really |still )?{NOT}(?:really )?(?P<verb>(?:{_VERB})s?|has|watches|"
        rf"teaches|"
        rf"studies) (?P<thing>{PHRASE})",
        _does,
    ),
    Shape.of(rf"{WHO} (?:can't|cannot|can not) stand (?P<thing>{PHRASE})", _cannot_stand),
    Shape.of(
        rf"{WHO} ?{_DONE}(?:(?P<start>started|began|took up)|stopped|quit|gave up|given up) "
        rf"(?P<doing>{'|'.join(_GERUNDS)})"
        rf"(?: (?P<thing>{PHRASE}))?",
        _starts_or_stops,
        Times.DROPPED,
    ),
    Shape.of(rf"{WHO} used to (?P<verb>{_VERB})(?: (?P<thing>{PHRASE}))?", _used_to),
    Shape.of(rf"{WHO} (?:now |currently )?{NOT}(?P<verb>smokes?|drinks?|drives?|runs?)", _smokes),
    Shape.of(
        rf"{WHO} ?{_DONE}(?:switched|migrated|converted|changed|moved) from (?P<old>{VALUE}) to "
        rf"(?P<new>{VALUE})",
        _switched,
        Times.DROPPED,
    ),
    Shape.of(
        rf"{WHO} ?(?:{_DONE}(?:became|turned|went)|{BE})(?: now)? (?P<no>not |no longer )?(?:an? )?"
        rf"(?P<trait>{_TRAIT})",
        _is,
    ),
    Shape.of(
        rf"{WHO} (?:now )?prefers? (?P<chosen>{PHRASE}?) (?:over|to|rather than|instead of) "
        rf"(?P<left>{PHRASE})",
        _prefers_over,
    ),
    Shape.of(rf"{WHO} (?:now )?prefers? (?:an? |the )?(?P<kind>[\w-]+) (?P<noun>[\w-]+)", _prefers_kind),
)
