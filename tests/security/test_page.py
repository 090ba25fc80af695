"""What the page on security gives as a proof exists."""

import re

from tests.docs.markdown import ROOT, prose

PAGE = prose(ROOT / "docs" / "security.md")


def test_every_place_that_is_named_is_there() -> None:
    named = set(re.findall(r"`((?:tests|ibex)/[\w/.]+)`", PAGE))
    assert len(named) > 20
    assert [path for path in sorted(named) if not (ROOT / path).exists()] == []


def test_every_test_that_is_named_is_there() -> None:
    named = set(re.findall(r"`(test_\w+)`", PAGE))
    code = "\n".join(file.read_text("utf-8") for file in (ROOT / "tests").rglob("test_*.py"))
    assert named
    assert [test for test in sorted(named) if f"def {test}(" not in code] == []


def test_every_trigger_that_is_named_is_there() -> None:
    (migration,) = (ROOT / "migrations" / "postgres").glob("0002_*.py")
    named = {"grace_period", "no_more", "within_its_creator", "chain"}
    assert all(f"`{name}`" in PAGE for name in named)
    assert [name for name in named if f"CREATE TRIGGER {name} " not in migration.read_text("utf-8")] == []
