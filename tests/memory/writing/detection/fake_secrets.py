"""Secrets that were never issued, put together at run time so that no scanner takes this file for a leak."""

import base64
import random
import string
from dataclasses import dataclass

BASE62 = string.ascii_letters + string.digits
BASE64_URL = BASE62 + "-_"
HEX = "0123456789abcdef"
UPPER32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"


@dataclass(frozen=True, slots=True)
class Sample:
    """A text that holds a secret, and the secret."""

    name: str
    text: str
    secret: str


def _random(alphabet: str, length: int, seed: int) -> str:
    """Random characters, with a capital and a digit among them where the alphabet has them."""
    tail = "".join(random.Random(seed).choices(alphabet, k=length))
    wanted = [each for each in ("K", "7") if each in alphabet]
    return "".join(wanted) + tail[len(wanted) :]


def _json_part(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _issued() -> dict[str, str]:
    header, claims = _json_part('{"alg": "HS256"}'), _json_part('{"sub": "ada"}')
    jwt = f"{header}.{claims}.{_random(BASE64_URL, 43, 1)}"
    return {
        "openai project": "sk-" + "proj-" + _random(BASE64_URL, 120, 2),
        "openai user": "sk-" + _random(BASE62, 48, 3),
        "openrouter": "sk-or-" + "v1-" + _random(HEX, 64, 4),
        "deepseek": "sk-" + _random(HEX, 32, 5),
        "anthropic": "sk-" + "ant-api03-" + _random(BASE64_URL, 93, 6) + "AA",
        "aws id": "AK" + "IA" + _random(UPPER32, 16, 7),
        "google api": "AI" + "za" + _random(BASE64_URL, 35, 8),
        "google oauth": "ya" + "29." + _random(BASE64_URL, 120, 9),
        "google client": "GOC" + "SPX-" + _random(BASE64_URL, 28, 10),
        "azure client": "abc8" + "Q~" + _random(BASE62, 34, 11),
        "github": "gh" + "p_" + _random(BASE62, 36, 12),
        "github app": "gh" + "s_" + _random(BASE62, 36, 13),
        "github fine grained": "github" + "_pat_" + _random(BASE62, 22, 14) + "_" + _random(BASE62, 59, 15),
        "gitlab": "gl" + "pat-" + _random(BASE64_URL, 20, 16),
        "slack bot": "xo" + "xb-" + "123456789012-123456789012-" + _random(BASE62, 24, 17),
        "slack app": "xa" + "pp-1-A01234567-1234567890-" + _random(HEX, 64, 18),
        "stripe": "sk_" + "live_" + _random(BASE62, 24, 19),
        "stripe restricted": "rk_" + "test_" + _random(BASE62, 24, 20),
        "webhook": "wh" + "sec_" + _random(BASE62, 32, 21),
        "twilio": "S" + "K" + _random(HEX, 32, 22),
        "sendgrid": "S" + "G." + _random(BASE64_URL, 22, 23) + "." + _random(BASE64_URL, 43, 24),
        "npm": "np" + "m_" + _random(BASE62, 36, 25),
        "pypi": "py" + "pi-AgEIcHlwaS5vcmc" + _random(BASE64_URL, 150, 26),
        "hugging face": "h" + "f_" + _random(BASE62, 34, 27),
        "replicate": "r" + "8_" + _random(BASE62, 37, 28),
        "groq": "gs" + "k_" + _random(BASE62, 52, 29),
        "databricks": "da" + "pi" + _random(HEX, 32, 30),
        "digital ocean": "do" + "p_v1_" + _random(HEX, 64, 31),
        "shopify": "shp" + "at_" + _random(HEX, 32, 32),
        "telegram": "123456789" + ":AA" + _random(BASE64_URL, 33, 33),
        "vault": "hv" + "s." + _random(BASE64_URL, 90, 34),
        "jwt": jwt,
        "ibex": "ibex" + "_pat_018f3c5e-7a1b-7c2d-8e3f-0123456789ab_" + _random(BASE62, 49, 35),
    }


_FRAMES = (
    "{}",
    "Use {} for the staging account, please.",
    "key={}\nnext line",
    'headers = {{"x-key": "{}"}}',
    "Ключ: {}.",
)


def issued_secrets() -> list[Sample]:
    """One of each provider in each of several surroundings."""
    return [
        Sample(f"{name} in frame {number}", frame.format(secret), secret)
        for name, secret in _issued().items()
        for number, frame in enumerate(_FRAMES)
    ]


def assigned_secrets() -> list[Sample]:
    """Secrets without a form of their own, beside the word that gives them away."""
    word = "tr0ub4dor" + "&3x"
    key = _random(BASE62, 40, 40)
    digits = _random(HEX, 32, 41)
    texts = {
        "password colon": (f"password: {word}", word),
        "password equals": (f"DB_PASSWORD={word}\nDB_HOST=localhost", word),
        "password is": (f"my wifi password is {word}, tell the guests", word),
        "quoted word": ('password = "swordfish"', "swordfish"),
        "json": (f'{{"user": "ada", "password": "{word}"}}', word),
        "yaml": (f"  db_passwd: '{word}'", word),
        "passphrase": ('passphrase = "seven green horses dance"', "seven green horses dance"),
        "german": (f"Das Passwort ist {word}", word),
        "spanish": (f"La contraseña es {word}", word),
        "french": (f"mot de passe : {word}", word),
        "russian": (f"пароль: {word}", word),
        "chinese": (f"密码\uff1a{word}", word),
        "api key": (f"api_key: {key}", key),
        "apikey json": (f'"apiKey": "{key}"', key),
        "aws secret": (f"aws_secret_access_key = {key}", key),
        "hex token": (f"export SERVICE_TOKEN={digits}", digits),
        "client secret": (f"client_secret={key}&grant_type=x", key),
        "bearer header": (f"Authorization: Bearer {key}", key),
        "basic header": (f'curl -H "Authorization: Basic {key}" https://a.example', key),
        "bearer alone": (f"send it with Bearer {key} please", key),
        "short name": (f"pw: {word}", word),
        "netrc": (f"machine a.example login ada password {key}", key),
        "token beside its name": (f"use token {key} for it", key),
        "mysql": (f"mysql -u root -p{word} app", word),
        "redis client": (f"redis-cli -h a.example -a {word} ping", word),
        "curl user": (f"curl -u ada:{word} https://a.example", word),
        "postgres url": (f"postgresql://ada:{word}@db.example.org:5432/app", word),
        "redis url": (f"redis://:{word}@cache.example.org:6379/0", word),
        "mongo url": (f"mongodb+srv://ada:{word}@cluster.example.net/x", word),
        "http url": (f"https://ada:{word}@git.example.org/repo.git", word),
        "azure storage": (
            "AccountName=x;Account" + f"Key={_random(BASE62, 86, 42)}==;",
            _random(BASE62, 86, 42),
        ),
        "slack webhook": ("https://hooks.slack" + f".com/services/T0AAAA/B0BBBB/{key}", key),
    }
    return [Sample(name, text, secret) for name, (text, secret) in texts.items()]


def private_keys() -> list[Sample]:
    """Armored keys: whole, with line ends as in JSON, and cut off."""
    lines = [_random(BASE62 + "+/", 64, 50 + number) for number in range(6)]
    body = "\n".join(lines)
    dashes = "-" * 5
    samples = []
    for label in (
        "RSA PRIVATE KEY",
        "EC PRIVATE KEY",
        "OPENSSH PRIVATE KEY",
        "ENCRYPTED PRIVATE KEY",
        "PGP PRIVATE KEY BLOCK",
    ):
        begin, end = f"{dashes}BEGIN {label}{dashes}", f"{dashes}END {label}{dashes}"
        whole = f"{begin}\n{body}\n{end}"
        samples.append(Sample(label, f"Here it is:\n{whole}\nKeep it safe.", body))
        samples.append(Sample(f"{label} in JSON", f'"key": "{whole}"'.replace("\n", "\\n"), lines[3]))
        samples.append(Sample(f"{label} cut off", f"{begin}\n{body}", lines[5]))
    return samples
