"""The pages, and the blocks of code in them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    [
        *(ROOT / "docs").glob("*.md"),
        *(ROOT / name for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")),
    ]
)
# What is run, what is loaded, and what is only shown.
RUN = ("sh", "python")
SHOWN = ("text", "json", "ini")

_FENCE = re.compile(
    r"(?P<comment><!-- (?P<kind>not run|output)(?:: (?P<reason>[^>]+?))? -->\n)?"
    r"^```(?P<language>\w*)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block. `not_run` is why it is not run, `output` what it is to print; None when not said."""

    page: Path
    line: int
    language: str
    text: str
    not_run: str | None
    output: str | None

    def __str__(self) -> str:
        return f"{self.page.name}:{self.line}"


def blocks(page: Path) -> list[Block]:
    """The blocks of a page, in order; one that shows an output is part of the block before it."""
    found: list[Block] = []
    for match in _FENCE.finditer(text := page.read_text("utf-8")):
        line = text.count("\n", 0, match.start("language")) + 1
        if match["kind"] == "output":
            before = found.pop()
            found.append(
                Block(page, before.line, before.language, before.text, before.not_run, match["text"])
            )
        else:
            found.append(Block(page, line, match["language"], match["text"], match["reason"], None))
    return found


def all_blocks() -> list[Block]:
    """The blocks of all pages."""
    return [block for page in PAGES for block in blocks(page)]


def prose(page: Path) -> str:
    """A page without its blocks."""
    return _FENCE.sub("", page.read_text("utf-8"))


def tables(page: Path) -> Iterator[list[str]]:
    """The cells of every row of a page's tables, headings included."""
    for line in prose(page).splitlines():
        if line.startswith("|") and not line.startswith("|---"):
            yield [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def anchors(page: Path) -> set[str]:
    """The fragments that links may name: headings in small letters, no punctuation, spaces as hyphens."""
    headings = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
