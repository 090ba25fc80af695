"""What the pages name exists, and what exists is named."""

import re
from collections.abc import Iterator

import click
import orjson
import pytest

from ibex.auth import Permission
from ibex.cli import main
from ibex.settings.loading import CONFIG_VARIABLE, _variables
from ibex.telemetry import Instruments
from tests.docs import error_page, settings_table
from tests.docs.markdown import PAGES, ROOT, anchors, prose, tables
from tests.embedded.running import wait_for
from tests.end_to_end.instance import Instance

pytestmark = pytest.mark.xdist_group("docs")

_SERIES = re.compile(r"^(ibex_\w+?)(?:_bucket|_sum|_count)?(?:\{(.*)\})? ", re.MULTILINE)
_DOCS = ROOT / "docs"
_DEPLOYMENT = [ROOT / "Dockerfile", ROOT / "compose.yaml"]
_ALL_TEXT = "\n".join(file.read_text("utf-8") for file in (*PAGES, *_DEPLOYMENT))


def test_the_settings_page_has_every_setting_as_the_code_has_it() -> None:
    expected = {
        row.name: [cell for cell in (row.variable, row.type, row.default) if cell is not None]
        for row in settings_table.rows()
    }

    shown = {
        cells[0]: cells[1:-1] for cells in tables(_DOCS / "configuration.md") if cells[0].startswith("`")
    }
    shown = {name: cells for name, cells in shown.items() if not name.startswith("`mock")}

    assert shown == expected
    assert all(cells[-1] for cells in tables(_DOCS / "configuration.md"))


def test_every_variable_that_is_named_is_read() -> None:
    named = set(re.findall(r"\bIBEX_[A-Z_]+\b", _ALL_TEXT))

    assert named <= {*_variables(), CONFIG_VARIABLE}


def test_the_errors_page_is_the_table_of_codes() -> None:
    assert error_page.PAGE.read_text("utf-8") == error_page.render()


def test_the_operations_page_has_every_metric_with_its_labels() -> None:
    rendered = Instruments(["a"]).metrics.render().decode()
    expected = {
        name: set(re.findall(r'(\w+)="', labels)) - {"le"} for name, labels in _SERIES.findall(rendered)
    }
    page = _DOCS / "operations.md"

    shown = {
        cells[0].strip("`"): set(re.findall(r"`(\w+)`", cells[2]))
        for cells in tables(page)
        if cells[0].startswith("`ibex_")
    }

    assert shown == expected
    for value in set(re.findall(r'(?:operation|step|outcome|direction|kind)="(\w+)"', rendered)) - {"other"}:
        assert f"`{value}`" in prose(page)


def test_the_operations_page_has_every_field_of_the_access_log(instance: Instance) -> None:
    instance.openai().chat.completions.create(model="mock", messages=[{"role": "user", "content": "Hello!"}])
    wait_for(lambda: '"ibex.access"' in instance.stdout)
    line = next(line for line in instance.stdout.splitlines() if '"ibex.access"' in line)

    for field in orjson.loads(line):
        assert f"`{field}`" in prose(_DOCS / "operations.md")


def test_the_command_line_page_has_every_command_and_option() -> None:
    page = (_DOCS / "cli.md").read_text("utf-8")
    for path, command in _commands(main, "ibex"):
        assert path in page
        for parameter in command.params:
            for option in parameter.opts if isinstance(parameter, click.Option) else ():
                assert option in page, f"{path} {option}"


def test_every_command_and_option_that_is_named_exists() -> None:
    commands = dict(_commands(main, "ibex"))
    groups = {"ibex", *(path.rpartition(" ")[0] for path in commands)}
    everywhere = {option for parameter in main.params for option in parameter.opts} | {"--help"}

    for words in re.findall(
        r"(?:`|^|-m |exec ibex |\$\()(ibex [a-z][a-z-]*[^`\n|>]*)", _ALL_TEXT, re.MULTILINE
    ):
        path = " ".join(re.match(r"ibex(?: [a-z][a-z-]*){1,2}", words)[0].split())  # type: ignore[index]
        while path not in commands and " " in path and path not in groups:
            path = path.rpartition(" ")[0]
        assert path != "ibex", words
        command = commands.get(path)
        options = {option for parameter in command.params for option in parameter.opts} if command else set()
        for option in re.findall(r"(?<= )--[a-z-]+", words):
            assert option in options | everywhere, words


def test_every_path_that_is_named_exists(instance: Instance) -> None:
    named = set(re.findall(r"(?<=[ `])/(?:v1/[a-z_/-]+|health|ready|metrics)", _ALL_TEXT))

    assert {"/v1/chat/completions", "/v1/embeddings", "/v1/models"} <= named
    assert [path for path in named if instance.get(path)[0] == 404] == []


def test_every_header_that_is_named_is_in_the_code() -> None:
    code = "\n".join(file.read_text("utf-8") for file in (ROOT / "ibex").rglob("*.py")).lower()

    for header in set(re.findall(r"\bX-[A-Za-z-]*[A-Za-z]", _ALL_TEXT)):
        assert header.lower() in code, header


def test_the_command_line_page_has_every_permission() -> None:
    for permission in Permission:
        assert f"`{permission.label}`" in prose(_DOCS / "cli.md")


def test_links_lead_somewhere() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
            if target.startswith("https://"):
                continue
            path, _, fragment = target.partition("#")
            file = (page.parent / path).resolve() if path else page
            assert file.exists(), f"{page.name}: {target}"
            assert not fragment or fragment in anchors(file), f"{page.name}: {target}"


def test_the_readme_leads_to_every_page() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")

    assert all(f"](docs/{page.name})" in readme for page in _DOCS.glob("*.md"))


def _commands(group: click.Group, path: str) -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from _commands(command, f"{path} {name}")
        else:
            yield f"{path} {name}", command
