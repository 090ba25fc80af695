"""`ibex doctor`."""

import json
import sys
from dataclasses import asdict

import click

from ibex.cli.options import as_json, data_dir, named
from ibex.doctor import Finding, State, examine

_MARKS = {State.OK: "✓", State.WARNING: "!", State.PROBLEM: "✗"}
_PLAIN_MARKS = {State.OK: "+", State.WARNING: "!", State.PROBLEM: "x"}
_COLORS = {State.OK: "green", State.WARNING: "yellow", State.PROBLEM: "red"}


@click.command()
@data_dir
@click.option("--host", help="Address that IBEX is to listen on.")
@click.option("--port", type=int, help="Port that IBEX is to listen on.")
@click.option("--offline", is_flag=True, help="Do not ask the providers.")
@as_json
@click.pass_context
def doctor(context: click.Context, /, offline: bool, as_json: bool, **options: object) -> None:
    """Check everything that can be wrong and say what to do. The exit status is 1 when something is."""
    file, given = named(context, **options)
    findings = []
    for finding in examine(file, given, offline=offline):
        findings.append(finding)
        if not as_json:
            click.echo(_line(finding))
    is_well = all(finding.state is not State.PROBLEM for finding in findings)
    if as_json:
        click.echo(json.dumps({"ok": is_well, "findings": [asdict(f) for f in findings]}, indent=2))
    sys.exit(0 if is_well else 1)


def _line(finding: Finding) -> str:
    mark = click.style(_marks()[finding.state], fg=_COLORS[finding.state])
    text = " ".join(f"{finding.text} {finding.remedy}".split())
    return f"{mark} {finding.check:<18} {text}"


def _marks() -> dict[State, str]:
    try:
        "".join(_MARKS.values()).encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        return _PLAIN_MARKS
    return _MARKS
