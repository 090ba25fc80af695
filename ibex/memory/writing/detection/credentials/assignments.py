"""Secrets that one recognises by what they are assigned to: `password = …`, `Authorization: …`."""

import re
from collections.abc import Iterator

from ibex.memory.writing.detection.credentials.strength import is_key, is_password, is_random, is_stand_in
from ibex.memory.writing.detection.finding import Category, Finding, Severity

# Words of which one must occur before the patterns are tried.
_NEEDLES = (
    "pass",
    "pwd",
    "contrase",
    "senha",
    "passwort",
    "kennwort",
    "wachtwoord",
    "парол",
    "密码",
    "パスワード",
    "secret",
    "token",
    "key",
    "credential",
    "auth",
    "bearer",
    "curl",
    "pw",
    "mysql",
    "mariadb",
    "redis-cli",
)
_NAMES_OF_PASSWORDS = (
    r"pass(?:word|wd|phrase|code|wort|(?=\s?[:=]))|pwd|pw(?=\s?[:=])|mot\sde\spasse|contrase(?:ñ|n)a|senha|kennwort|wachtwoord|пароль"
    r"|密码|パスワード"
)
_NAMES_OF_KEYS = (
    r"(?:api|access|secret|private|signing|encryption|master|service|account|subscription|license|auth|client"
    r"|refresh|bearer|session|id|webhook|deploy|personal)?[ _-]?(?:access[ _-]?)?(?:key|token|secret)s?"
    r"|apikey|credentials?"
)
_ASSIGN = (
    r"[\"'`]?\s{0,3}(?:(?::=|=>|==?|:|\uff1a)\s{0,3}"
    r"|(?:is|was|ist|est|es|è|é|это|は|是)\s{0,3}(?:now\s|:\s?)?|(?P<loose>[ \t]{1,3}))"
)
_VALUE = (
    r"(?:\"(?P<double>[^\"\n]{1,512})\"|'(?P<single>[^'\n]{1,512})'|`(?P<tick>[^`\n]{1,512})`"
    r"|(?P<bare>[^\s\"'`,;<>()\[\]{}]{4,}+)(?!\())"
)
_ASSIGNMENT = re.compile(
    rf"(?i)(?<![^\W_])(?:(?P<password>{_NAMES_OF_PASSWORDS})|(?P<key>{_NAMES_OF_KEYS})){_ASSIGN}{_VALUE}",
)
_HEADER = re.compile(
    r"(?i)(?<![A-Za-z0-9])(?:proxy-)?authorization[\"']?\s{0,3}[:=]\s{0,3}[\"']?"
    r"(?:(?:bearer|basic|token|digest|apikey|negotiate|aws4-hmac-sha256)\s{1,3})?"
    r"(?P<secret>[^\s\"',;<>\[\]{}]{8,}+)"
)
_BEARER = re.compile(r"(?i)(?<![A-Za-z0-9])bearer\s{1,3}(?P<secret>[A-Za-z0-9_.~+/-]{16,}+=*+)")
_CURL_USER = re.compile(r"(?<!\w)-(?:u|-user)[ =][\"']?[^\s:\"']{1,128}:(?P<secret>[^\s\"'\[]{4,}+)")
# The passwords that database clients take on the command line.
_CLIENT = re.compile(
    r"(?<![\w-])(?:mysql|mysqldump|mysqladmin|mariadb|sshpass)\s[^\n]{0,80}?(?<=\s)"
    r"-p ?(?P<mysql>[^\s\[-][^\s\[]{3,}+)"
    r"|(?<![\w-])redis-cli\s[^\n]{0,80}?(?<=\s)-a (?P<redis>[^\s\[]{4,}+)"
)
_TRAILING = ".,;:!?)…。"


def find_assignments(text: str) -> Iterator[Finding]:
    """Values that are assigned to the name of a secret and look like one."""
    lowered = text.casefold()
    if not any(needle in lowered for needle in _NEEDLES):
        return
    for match in _ASSIGNMENT.finditer(text):
        finding = _assigned(match)
        if finding is not None:
            yield finding
    if "authorization" in lowered:
        for match in _HEADER.finditer(text):
            if not is_stand_in(match["secret"]):
                yield _secret("access_token", "authorization_header", *match.span("secret"))
    if "bearer" in lowered:
        for match in _BEARER.finditer(text):
            if is_key(match["secret"]):
                yield _secret("access_token", "bearer_token", *match.span("secret"))
    for match in _CLIENT.finditer(text):
        name = match.lastgroup or ""
        if not is_stand_in(match[name]):
            yield _secret("password", "client_password", *match.span(name))
    if "curl" in lowered:
        for match in _CURL_USER.finditer(text):
            if not is_stand_in(match["secret"]):
                yield _secret("password", "curl_user", *match.span("secret"))


def _assigned(match: re.Match[str]) -> Finding | None:
    group = next(name for name in ("double", "single", "tick", "bare") if match[name] is not None)
    quoted = group != "bare"
    value = match[group] if quoted else match[group].rstrip(_TRAILING)
    start = match.start(group)
    end = start + len(value)
    if match["loose"] is not None:
        return _secret("api_key", "key_beside_its_name", start, end) if is_random(value) else None
    if match["password"] is not None:
        phrase = match["password"].casefold() == "passphrase"
        found = is_password(value, quoted=quoted, phrase=phrase)
        return _secret("password", "password_assignment", start, end) if found else None
    return _secret("api_key", "key_assignment", start, end) if is_key(value) else None


def _secret(kind: str, rule: str, start: int, end: int) -> Finding:
    return Finding(Category.SECRET, kind, rule, Severity.HIGH, start, end)
