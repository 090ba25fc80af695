"""Claims about people: where they live and work, their age, name and family."""

import re

from ibex.memory.writing.conflict.claim import Claim
from ibex.memory.writing.conflict.sentence import Sentence
from ibex.memory.writing.conflict.shape import BE, NOT, PHRASE, PROPER, Shape, Times
from ibex.memory.writing.conflict.subject import OWNER, WHO, agrees, owner_of, subject_of
from ibex.memory.writing.conflict.wording import plain, words

_DONE = r"(?:'ve |have |has |'s )?(?:just |recently |finally |now )?"
# "moved to Linux", "moved to Sales", "lives in Building B": not where one lives. So are "FastAPI" and "GKE".
_NO_PLACE = words(
    """
    linux windows mac macos ios android python rust java javascript typescript postgres postgresql mysql
    sqlite mongodb redis kubernetes docker aws azure gcp github gitlab slack teams zoom notion vim emacs
    sales marketing engineering finance support hr legal operations product design qa research
    management netflix spotify monday tuesday wednesday thursday friday saturday sunday plan apple
    google amazon meta microsoft facebook oracle ibm tesla uber stripe nvidia intel samsung adobe
    salesforce team project version room building street office phase premium enterprise firefox chrome
    safari obsidian evernote onenote dropbox figma jira confluence trello asana linear discord whatsapp
    telegram signal outlook gmail proton kafka rabbitmq grafana prometheus datadog terraform ansible jenkins
    django flask rails react angular vue svelte node deno bun kotlin swift scala golang perl ruby php haskell
    elixir clojure debian ubuntu fedora arch basic pro gold silver platinum free nights days mornings
    infrastructure security platform data science analytics accounting logistics purchasing table seat chapter
    stage step level line lane floor house tower towers apartment flat suite department group squad class
    chaos fear peace harmony poverty exile hope denial luxury home
    """
)
_NO_TOWN = re.compile(r"[a-z][A-Z]|\b(?!(?:NYC|LA|SF|DC|UK|US|USA|UAE)\b)[A-Z]{2,}\b")
_NO_FIRM = words("home night nights free")
_NO_OCCUPATION = re.compile(r"\b(?:on|at|in|for|during|every|team|volunteer)\b", re.IGNORECASE)


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
        )
    ]


def _place(name: str | None) -> str:
    return plain(name.split(",")[0]) if name else ""


def _home(name: str) -> str:
    """A place where one can live; empty when it is something else."""
    place = _place(name)
    return "" if _NO_PLACE.intersection(place.split()) or _NO_TOWN.search(name) else place


def _lives(match: re.Match[str], sentence: Sentence, speaker: str) -> list[Claim]:
    return _claim(match, sentence, speaker, "residence", _home(match["place"]), affirmed=not match["no"])


def _habitually_lives(match: re.Match[str], sentence: Sentence, speaker: str) -> list[Claim]:
    verb = match["verb"].lower()
    helped = (match["no"] or "").lower().startswith("do")
    if not helped and not agrees(match["who"], verb, verb.removesuffix("s")):
        return []
    return _lives(match, sentence, speaker)


def _moved(match: re.Match[str], sentence: Sentence, speaker: str) -> list[Claim]:
    before = _place(match["before"] or match["origin"])
    return _claim(match, sentence, speaker, "residence", _home(match["place"]), replaces=before or None)


def _lives_no_more(match: re.Match[str], sentence: Sentence, speaker: str) -> list[Claim]:
    return _claim(match, sentence, speaker, "residence", _place(match["place"]), affirmed=False)


def _works(match: re.Match[str], sentence: Sentence, speaker: str) -> list[Claim]:
    verb, no = match["verb"].lower(), (match["no"] or "").lower()
    if verb in ("work", "works") and not no.startswith("do") and not agrees(match["who"], verb, "work"):
        return []
    # "for" Bob may be a favour; "at" is where one is employed.
    firm = sentence.changes or match["at"].lower() != "for"
    name = plain(match["firm"])
    if name in _NO_FIRM:
        return []
    return _claim(match, sentence, speaker, "employer", name, affirmed=not no, firm=firm)


def _begins_work(match: re.Match[str], sentence: Sentence, speaker: str) -> list[Claim]:
    # "I started at the gym", "I joined the club": only a job or work leaves no doubt.
    firm = any(word in match["verb"].lower() for word in ("work", "job"))
    return _claim(match, sentence, speaker, "employer", plain(match["firm"]), firm=firm)


def _leaves_work(match: re.Match[str], sentence: Sentence, speaker: str) -> list[Claim]:
    # Who has just left may be on the way home.
    firm = not match["left"].lower().startswith("just left")
    return _claim(match, sentence, speaker, "employer", plain(match["firm"]), affirmed=False, firm=firm)


def _occupation(match: re.Match[str], sentence: Sentence, speaker: str) -> list[Claim]:
    if _NO_OCCUPATION.search(match["job"]):
        return []
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
    return [
        Claim(
            owner_of(owner, speaker),
            attribute,
            value,
            exclusive=True,
            firm=sentence.changes,
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
        rf"{WHO} ?(?:'ve |have |has |'s )?(?P<left>(?:just |recently |finally |now )?"
        rf"(?:(?:quit|left) (?:my |his |her |the )?job at|left|quit|resigned from|used to work (?:at|for))) "
        rf"(?P<firm>{PROPER})",
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
