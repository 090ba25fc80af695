"""The English words of the calendar, as regular expressions and as numbers."""

MONTHS = {
    name: number
    for number, names in enumerate(
        (
            ("january", "jan"),
            ("february", "feb"),
            ("march", "mar"),
            ("april", "apr"),
            ("may",),
            ("june", "jun"),
            ("july", "jul"),
            ("august", "aug"),
            ("september", "sept", "sep"),
            ("october", "oct"),
            ("november", "nov"),
            ("december", "dec"),
        ),
        start=1,
    )
    for name in names
}
# German, French, Spanish, Italian, Portuguese and Dutch; read only between a day and a year.
FOREIGN_MONTHS = {
    name: number
    for number, names in enumerate(
        (
            "januar jänner janvier enero gennaio janeiro januari",
            "februar février fevrier febrero febbraio fevereiro februari",
            "märz mars marzo março maart",
            "avril abril aprile",
            "mai mayo maggio maio mei",
            "juni juin junio giugno junho",
            "juli juillet julio luglio julho",
            "août aout agosto augustus",
            "septembre septiembre settembre setembro",
            "oktober octobre octubre ottobre outubro",
            "novembre noviembre novembro",
            "dezember décembre decembre diciembre dicembre dezembro",
        ),
        start=1,
    )
    for name in names.split()
}
# "Sat" and "Sun" are words of their own.
WEEKDAYS = {
    name: number
    for number, names in enumerate(
        (
            ("monday", "mon"),
            ("tuesday", "tues", "tue"),
            ("wednesday", "wed"),
            ("thursday", "thurs", "thur", "thu"),
            ("friday", "fri"),
            ("saturday",),
            ("sunday",),
        )
    )
    for name in names
}
# Meteorological seasons of the northern hemisphere: the first month of three.
SEASONS = {"spring": 3, "summer": 6, "autumn": 9, "fall": 9, "winter": 12}
NUMBERS = {
    "a": 1,
    "an": 1,
    "one": 1,
    "two": 2,
    "three": 3,
    "four": 4,
    "five": 5,
    "six": 6,
    "seven": 7,
    "eight": 8,
    "nine": 9,
    "ten": 10,
    "eleven": 11,
    "twelve": 12,
    "fifteen": 15,
    "twenty": 20,
    "thirty": 30,
    "couple": 2,
}


def _any_of(words: dict[str, int]) -> str:
    return "|".join(sorted(words, key=len, reverse=True))


_SHORT = "jan|feb|mar|apr|jun|jul|aug|sep|oct|nov|dec"
MONTH = rf"(?P<month>{_any_of(MONTHS)})\b(?:(?<=\b(?:{_SHORT}))\.)?"
WEEKDAY = rf"(?P<weekday>{_any_of({name: day for name, day in WEEKDAYS.items() if name.endswith('day')})})\b"
WEEKDAY_OR_SHORT = rf"(?P<weekday>{_any_of(WEEKDAYS)})\b"
ANY_MONTH = rf"(?P<month>{_any_of(FOREIGN_MONTHS | MONTHS)})\b"
SEASON = rf"(?P<season>{_any_of(SEASONS)})\b"
YEAR = r"(?P<year>(?:19|20)\d\d)(?![\w%]|[.,:/-]\d)"
# "a couple of" and "a few" are counted apart from what stands before them.
COUNT = rf"(?:(?:a|the)\s+)?(?P<count>\d{{1,3}}|{_any_of(NUMBERS)}|few|several)(?:\s+of)?"
UNIT = r"(?P<unit>day|week|fortnight|month|year|decade)s?\b"


def count_of(word: str) -> tuple[int, int]:
    """How many a word may mean: the least and the most."""
    if word in ("few", "several"):
        # A few is three to five for most readers; two is the least that is more than one.
        return 2, 5
    number = int(word) if word.isdigit() else NUMBERS[word]
    return number, number
