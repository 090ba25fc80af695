"""Of whom or what a claim is made."""

from ibex.memory.writing.conflict.wording import plain, words

_ROLE = (
    r"sister|brother|mother|mom|mum|father|dad|wife|husband|partner|son|daughter|boss|manager|girlfriend|"
    r"boyfriend|roommate|uncle|aunt|grandmother|grandma|grandfather|grandpa|best friend|team|company"
)
_NAME = r"(?-i:[A-Z][\w-]*(?: [A-Z][\w-]*)?)"
WHO = rf"(?P<who>I|we|(?:the )?user|my (?:older |younger |little |big )?(?:{_ROLE})|{_NAME})"
OWNER = rf"(?P<owner>my|our|the user's|user's|the|{_NAME}'s)"

# A capitalised first word that names nobody.
_NOBODY = words(
    """
    please people everyone everybody nobody someone somebody anyone this that these those it he she they
    you who what there here let lots tons
    """
)


def subject_of(who: str, speaker: str) -> str | None:
    """The canonical name of a grammatical subject; None when it points to something said before."""
    word = who.lower()
    if word == "i":
        return speaker
    if word == "we":
        return f"{speaker} and others"
    if word in ("user", "the user"):
        return "user"
    if word.startswith("my "):
        return f"{speaker}'s {plain(word)}"
    return None if word in _NOBODY else plain(word)


def owner_of(owner: str, speaker: str) -> str:
    """The canonical name of whom something belongs to; empty for "the"."""
    word = owner.lower()
    if word == "my":
        return speaker
    if word == "our":
        return f"{speaker} and others"
    return {"the": "", "the user's": "user", "user's": "user"}.get(word, plain(word.removesuffix("'s")))


def agrees(who: str, verb: str, base: str) -> bool:
    """Whether a verb's form fits its subject: "I live", "Anna lives". "People live" says nothing of one."""
    return (verb == base) == (who.lower() in ("i", "we"))


def speaker_of(name: str | None) -> str:
    """The canonical name of who says "I"; without one it is the end user."""
    return "user" if name is None or name.lower() in ("user", "human") else plain(name)
