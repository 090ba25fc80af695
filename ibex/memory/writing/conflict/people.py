"""Claims about people: where they live and work, their age, name and family."""

import re

from ibex.memory.writing.conflict.claim import Claim
from ibex.memory.writing.conflict.sentence import Sentence
from ibex.memory.writing.conflict.shape import BE, NOT, PHRASE, PROPER, Shape, Times
from ibex.memory.writing.conflict.subject import OWNER, WHO, agrees, is_first_person, owner_of, subject_of
from ibex.memory.writing.conflict.wording import plain, words

_DONE = r"(?:'ve |have |has |'s )?(?:just |recently |finally |now )?"
# "moved to Linux", "moved to Sales", "moved to Team Blue": not where one lives.
_NO_PLACE = words(
    """
    linux windows mac macos ios android python rust java javascript typescript postgres postgresql mysql
    sqlite mongodb redis kubernetes docker aws azure gcp github gitlab slack teams zoom notion vim emacs
    sales marketing engineering finance support hr legal operations product design qa research
    management netflix spotify monday tuesday wednesday thursday friday saturday sunday plan apple
    google amazon meta microsoft facebook oracle ibm tesla uber stripe nvidia intel samsung adobe
    salesforce team project version room building street office phase premium enterprise
    """
)


def _claim(
    match: re.Match[str],
    sentence: Sentence,
    speaker: str,
    attribute: str,
    value: str,
    *,
    affirmed: bool = True,
    replaces: str | None = None,
    firm: bool = True,
) -> list[Claim]:
    subject = subject_of(match["who"], speaker)
    if subject is None or not value:
        return []
    return [
        Claim(
            subject,
            attribute,
            value,
            affirmed=affirmed,
            exclusive=not sentence.adds,
            replaces=replaces,
            firm=firm,
            first_person=is_first_person(match["who"]),
        )
    ]


def _place(name: str | None) -> str:
    return plain(name.split(",")[0]) if name else ""


def _lives(match: re.Match[str], sentence: Sentence, speaker: str) -> list[Claim]:
    return _claim(match, sentence, speaker, "residence", _place(match["place"]), affirmed=not match["no"])


def _habitually_lives(match: re.Match[str], sentence: Sentence, speaker: str) -> list[Claim]:
    verb = match["verb"].lower()
    helped = (match["no"] or "").lower().startswith("do")
    if not helped and not agrees(match["who"], verb, verb.removesuffix("s")):
        return []
    return _lives(match, sentence, speaker)


def _moved(match: re.Match[str], sentence: Sentence, speaker: str) -> list[Claim]:
    place = _place(match["place"])
    if _NO_PLACE.intersection(place.split()):
        return []
    before = _place(match["before"] or match["origin"])
    return _claim(match, sentence, speaker, "residence", place, replaces=before or None)


def _lives_no_more(match: re.Match[str], sentence: Sentence, speaker: str) -> list[Claim]:
    return _claim(match, sentence, speaker, "residence", _place(match["place"]), affirmed=False)


def _works(match: re.Match[str], sentence: Sentence, speaker: str) -> list[Claim]:
    verb, no = match["verb"].lower(), (match["no"] or "").lower()
    if verb in ("work", "works") and not no.startswith("do") and not agrees(match["who"], verb, "work"):
        return []
    # "for" Bob may be a favour; "at" is where one is employed.
    firm = sentence.changes or match["at"].lower() != "for"
    return _claim(match, sentence, speaker, "employer", plain(match["firm"]), affirmed=not no, firm=firm)


def _begins_work(match: re.Match[str], sentence: Sentence, speaker: str) -> list[Claim]:
    firm = not match["verb"].lower().startswith("joined")
    return _claim(match, sentence, speaker, "employer", plain(match["firm"]), firm=firm)


def _leaves_work(match: re.Match[str], sentence: Sentence, speaker: str) -> list[Claim]:
    return _claim(match, sentence, speaker, "employer", plain(match["firm"]), affirmed=False)


def _occupation(match: re.Match[str], sentence: Sentence, speaker: str) -> list[Claim]:
    return _claim(match, sentence, speaker, "occupation", plain(match["job"]))


def _family(match: re.Match[str], sentence: Sentence, speaker: str) -> list[Claim]:
    status = match["status"].lower()
    return _claim(match, sentence, speaker, "marital status", status, affirmed=not match["no"])


def _age(match: re.Match[str], sentence: Sentence, speaker: str) -> list[Claim]:
    return _claim(match, sentence, speaker, "age", match["age"])


def _name(match: re.Match[str], sentence: Sentence, speaker: str) -> list[Claim]:
    """Firm only when it says that the name changed: a second name may be a nickname."""
    owner, value = match["owner"], plain(match["name"])
    if owner is None:
        return _claim(match, sentence, speaker, "name", value)
    attribute = f"{(match['which'] or '').lower()}name"
    firm, first_person = sentence.changes, is_first_person(owner)
    return [
        Claim(
            owner_of(owner, speaker),
            attribute,
            value,
            exclusive=True,
            firm=firm,
            first_person=first_person,
        )
    ]


def _counts(match: re.Match[str], sentence: Sentence, speaker: str) -> list[Claim]:
    noun = match["noun"].lower()
    noun = {"kids": "children"}.get(noun, noun)
    return _claim(match, sentence, speaker, f"number of {noun}", plain(match["count"]))


_COUNT = r"(?P<count>\d{1,2}|two|three|four|five|six|seven|eight|nine|ten)"
_COUNTED = (
    r"(?P<noun>children|kids|sons|daughters|brothers|sisters|siblings|cats|dogs|pets|grandchildren|cars)"
)

PEOPLE = (
    Shape.of(
        rf"{WHO} (?:now |currently |still )?{NOT}(?:now )?(?P<verb>lives?|resides?) (?:now )?in "
        rf"(?P<place>{PROPER})",
        _habitually_lives,
    ),
    Shape.of(
        rf"{WHO} ?{BE} (?:now |currently )?(?P<no>not |no longer )?(?:living|based|residing) in "
        rf"(?P<place>{PROPER})",
        _lives,
    ),
    Shape.of(
        rf"{WHO} ?{_DONE}(?:moved|relocated)(?: back)?(?: from (?P<before>{PROPER}))? to (?P<place>{PROPER})"
        rf"(?: from (?P<origin>{PROPER}))?",
        _moved,
        Times.DROPPED,
    ),
    Shape.of(rf"{WHO} used to live in (?P<place>{PROPER})", _lives_no_more),
    Shape.of(
        rf"{WHO} (?:now |currently |still )?{NOT}(?P<verb>works?) (?:now )?(?P<at>at|for) (?P<firm>{PROPER})",
        _works,
    ),
    Shape.of(
        rf"{WHO} ?{BE} (?:now |currently )?(?P<no>not |no longer )?(?P<verb>working|employed) (?P<at>at|"
        rf"for|by) "
        rf"(?P<firm>{PROPER})",
        _works,
    ),
    Shape.of(
        rf"{WHO} ?{_DONE}(?P<verb>started (?:working |work |a new job |my new job )?at|got a (?:new )?job at|"
        rf"joined) (?P<firm>{PROPER})",
        _begins_work,
        Times.DROPPED,
    ),
    Shape.of(
        rf"{WHO} ?{_DONE}(?:(?:quit|left) (?:my |his |her |the )?job at|left|quit|resigned from|"
        rf"used to work (?:at|for)) (?P<firm>{PROPER})",
        _leaves_work,
        Times.DROPPED,
    ),
    Shape.of(rf"{WHO} (?:now |currently )?works? as an? (?P<job>{PHRASE})", _occupation),
    Shape.of(
        rf"{WHO} ?(?:{_DONE}got|{BE})(?: now)? (?P<no>not |no longer )?"
        rf"(?P<status>single|married|divorced|engaged|widowed)"
        rf"(?: to {PROPER})?",
        _family,
        Times.DROPPED,
    ),
    Shape.of(
        rf"{WHO} ?(?:(?:just )?turned|{BE})(?: now)? (?P<age>\d{{1,3}})(?: years old| today)?",
        _age,
        Times.DROPPED,
    ),
    Shape.of(
        rf"(?:{OWNER} (?P<which>full |first |last |middle )?name is(?: now)? "
        rf"|{WHO} ?{_DONE}changed (?:my|his|her) name to )(?P<name>{PROPER})",
        _name,
    ),
    Shape.of(rf"{WHO} (?:now )?(?:have|has|'ve got) (?:now )?{_COUNT} {_COUNTED}", _counts),
)
