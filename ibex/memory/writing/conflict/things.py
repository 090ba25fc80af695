"""Claims about things: favourites, addresses and numbers, deadlines, meetings."""

import re

from ibex.memory.time import mentions
from ibex.memory.writing.conflict.claim import Claim
from ibex.memory.writing.conflict.sentence import Sentence
from ibex.memory.writing.conflict.shape import PHRASE, Shape, Times
from ibex.memory.writing.conflict.subject import OWNER, owner_of
from ibex.memory.writing.conflict.wording import has_contrary, plain

# Nouns whose value is the thing itself; "my car is red" gives no other car.
_ATTRIBUTE = (
    r"(?:[\w-]+ ){0,2}?(?:number|e-?mail|address|(?:zip|postal) ?code|hometown|major|budget|salary|rent|"
    r"price|cost|"
    r"height|weight|shoe size|blood type|time ?zone|username|nickname|job|job title|title|occupation|"
    r"profession|"
    r"employer|operating system|language|currency|region|plan|version|port|limit|url|endpoint|hotline|"
    r"database|editor|status|owner|ceo|cto|lead|capacity|quota|rate|default|code ?name|headquarters)"
)
_EVENT = r"(?P<event>(?:[\w-]+ ){0,3}[\w-]+)"
_CLOCK = re.compile(
    r"\b(?:\d{1,2}(?::\d\d)?\s*(?:am|pm|a\.m\.?|p\.m\.?|o'clock)|\d{1,2}:\d\d|noon|midnight)(?!\w)",
    re.IGNORECASE,
)
_JOINING = re.compile(r"(?:\b(?:at|on|for|the|from|to|by)\b|[\s,])*", re.IGNORECASE)
_WHEN = r"(?:(?:at|on|for|to|until|till) )(?P<when>.{2,60})"
_MOVED = (
    r"(?:moved|rescheduled|pushed|postponed|changed|shifted|delayed|brought forward)(?: back| up| forward)?"
)
# What follows "is" without being a value: "my plan is to leave", "the limit is not clear".
_NO_VALUE = (
    r"(?!(?:to|not|that|how|very|too|so|really|quite|still|going|being|on|in|at|up|down|due|an?)(?:\s|$))"
)

# A number, a name, or an address of some sort; a word alone may as well be what one thinks of the thing.
_VALUE_LIKE = re.compile(r"\d|\b[A-Z]|\w[@./:]\w")
_TOLD_IN_NOUNS = ("occupation", "profession", "major")
# "My favourite book is the one you gave me."
_NO_FAVOURITE = re.compile(
    r"(?:the (?:one|first|last|next|same)|one of|whatever|anything|everything|something)\b", re.IGNORECASE
)


def _owned(match: re.Match[str], sentence: Sentence, speaker: str, attribute: str, value: str) -> Claim:
    before = plain(match.groupdict().get("before") or "") or None
    return Claim(
        owner_of(match["owner"], speaker),
        attribute,
        value,
        exclusive=not sentence.adds,
        replaces=before,
    )


def _attribute(match: re.Match[str], sentence: Sentence, speaker: str) -> list[Claim]:
    attribute, value = plain(match["attribute"]), plain(match["value"])
    return [_owned(match, sentence, speaker, attribute, value)] if value else []


def _is_attribute(match: re.Match[str], sentence: Sentence, speaker: str) -> list[Claim]:
    """Of "the price is 5" and "the price is fair" only one names a value."""
    attribute, value = match["attribute"].lower(), match["value"]
    named = (
        _VALUE_LIKE.search(value)
        or attribute.endswith(_TOLD_IN_NOUNS)
        or (attribute.endswith("status") and has_contrary(value.lower()))
    )
    return _attribute(match, sentence, speaker) if named else []


def _favourite(match: re.Match[str], sentence: Sentence, speaker: str) -> list[Claim]:
    attribute, value = "favorite " + plain(match["attribute"]), plain(match["value"])
    if not value or _NO_FAVOURITE.match(match["value"]):
        return []
    return [_owned(match, sentence, speaker, attribute, value)]


def _event(match: re.Match[str], sentence: Sentence, speaker: str) -> list[Claim]:
    """When something takes place. Only words that say it was moved tell it from another of its kind."""
    clock = _CLOCK.search(match["when"])
    rest = _CLOCK.sub("", match["when"])
    days = mentions(rest, sentence.observed_at)
    for mention in reversed(days):
        rest = rest[: mention.span[0]] + rest[mention.span[1] :]
    if not _JOINING.fullmatch(rest) or len(days) > 1:
        return []
    values = {"time of day": _time_of_day(clock[0])} if clock else {}
    if days:
        values["date"] = str(days[0].interval.start)
    subject = f"{owner_of(match['owner'], speaker)} {plain(match['event'])}".strip()
    firm = sentence.changes or bool(match.groupdict().get("moved"))
    return [Claim(subject, name, value, exclusive=True, firm=firm) for name, value in values.items()]


def _time_of_day(words: str) -> str:
    """ "3 pm" and "15:00" as one."""
    small = words.lower().replace(".", "").replace(" ", "")
    if small in ("noon", "midnight"):
        return "12:00" if small == "noon" else "0:00"
    hour, _, minute = small.rstrip("apmoclk'").partition(":")
    hours = (
        int(hour) % 12 + 12 if small.endswith("pm") else int(hour) % 12 if small.endswith("am") else int(hour)
    )
    return f"{hours}:{minute or '00'}"


THINGS = (
    Shape.of(
        rf"{OWNER} (?:current |new )?favou?rite (?P<attribute>(?:[\w-]+ ){{0,2}}[\w-]+) (?:is|'s)(?: now)? "
        rf"(?P<value>{PHRASE})",
        _favourite,
    ),
    Shape.of(
        rf"(?P<value>{PHRASE}?) is(?: now)? {OWNER} (?:new )?favou?rite (?P<attribute>(?:[\w-]+ "
        rf"){{0,2}}[\w-]+)",
        _favourite,
    ),
    Shape.of(
        rf"{OWNER} (?:new )?(?P<attribute>{_ATTRIBUTE}) is(?: now)? {_NO_VALUE}(?P<value>{PHRASE})",
        _is_attribute,
    ),
    Shape.of(
        rf"(?:I|we)(?:'ve| have)? (?:changed|updated|switched|set) {OWNER} (?P<attribute>{_ATTRIBUTE}"
        rf"|favou?rite [\w-]+)(?: from (?P<before>{PHRASE}?))? to (?P<value>{PHRASE})",
        _attribute,
        Times.DROPPED,
    ),
    Shape.of(
        rf"{OWNER} (?P<attribute>{_ATTRIBUTE}) (?:(?:has |was |has been |have been )?(?:changed|"
        rf"updated|raised|"
        rf"lowered|increased|reduced))(?: from (?P<before>{PHRASE}?))? to (?P<value>{PHRASE})",
        _attribute,
        Times.DROPPED,
    ),
    Shape.of(
        rf"{OWNER} {_EVENT} (?:is|starts|begins|takes place|is scheduled|will be|is set|'s)(?: now)? {_WHEN}",
        _event,
        Times.KEPT,
    ),
    Shape.of(
        rf"{OWNER} {_EVENT} (?P<moved>(?:was|has been|is|got|will be) {_MOVED})(?: from .{{2,40}}?)? "
        rf"(?:to|until|till) (?P<when>.{{2,60}})",
        _event,
        Times.KEPT,
    ),
    Shape.of(
        rf"(?:we|they|I)(?:'ve| have)? (?P<moved>{_MOVED}) {OWNER} {_EVENT}(?: from .{{2,40}}?)? to "
        rf"(?P<when>.{{2,60}})",
        _event,
        Times.KEPT,
    ),
    Shape.of(
        rf"{OWNER} (?P<event>birthday|deadline|due date|launch date|release date|start date|end date) "
        rf"is(?: now)? "
        rf"(?:on )?(?P<when>.{{2,60}})",
        _event,
        Times.KEPT,
    ),
)
