"""The container image and the compose file, as far as they can be checked without an engine."""

import re

import orjson

from ibex.settings import load
from tests.docs.markdown import ROOT, blocks

_COMPOSE = (ROOT / "compose.yaml").read_text("utf-8")
_DOCKERFILE = (ROOT / "Dockerfile").read_text("utf-8")


def test_the_documented_env_file_has_every_secret_that_compose_demands() -> None:
    demanded = set(re.findall(r"\$\{(\w+):\?", _COMPOSE))
    block = next(b for b in blocks(ROOT / "docs" / "operations.md") if "> .env" in b.text)

    written = set(re.findall(r"[A-Z_]{2,}", block.text.partition(";")[0]))

    assert written == demanded


def test_compose_with_its_secrets_alone_gives_settings_that_load() -> None:
    section = _COMPOSE.partition("    environment:\n")[2].partition("    ports:\n")[0]
    written = dict(re.findall(r"^ +(\w+): (.+)$", section, re.MULTILINE))
    assert {"IBEX_POSTGRES_DSN", "IBEX_TOKEN_PEPPER", "IBEX_PUBLIC_URL"} <= written.keys()

    settings = load({name: _interpolated(text) for name, text in written.items()})

    assert not settings.is_embedded
    assert (settings.public_url, settings.workers) == (None, 2)
    assert list(settings.providers) == ["mock"]


def test_databases_publish_no_port() -> None:
    assert re.findall(r"^ +- \"?([\d.:]+)\"?$", _COMPOSE, re.MULTILINE) == ["127.0.0.1:8080:8080"]


def test_the_image_is_built_from_what_the_wheel_needs() -> None:
    """What hatch packs must be copied before the wheel is built, and let through to the builder."""
    copies = re.findall(r"^COPY (?!--from)(.+)$", _DOCKERFILE, re.MULTILINE)
    copied = set(" ".join(copies).split())
    let_through = set(re.findall(r"^!(.+)$", (ROOT / ".dockerignore").read_text("utf-8"), re.MULTILINE))

    needed = {"pyproject.toml", "README.md", "LICENSE", "ibex", "migrations"}
    assert needed <= copied
    assert needed == let_through


def test_the_image_has_a_health_check_that_can_be_read() -> None:
    command = re.search(r"HEALTHCHECK .*?CMD (\[.+?\])$", _DOCKERFILE, re.MULTILINE | re.DOTALL)
    assert command is not None

    program, option, code = orjson.loads(command[1])

    assert (program, option) == ("python", "-c")
    compile(code, "HEALTHCHECK", "exec")
    assert "/health" in code


def _interpolated(text: str) -> str:
    """As Compose does it: `${NAME:?why}` is a secret that is given, `${NAME:-default}` is not given."""
    text = re.sub(r"\$\{\w+:\?[^}]*\}", "0123456789abcdef" * 4, text)
    return re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", text)
