"""What a command says of a failure that could be foreseen."""

import click
import psycopg
import pytest

from ibex.auth import PepperError
from ibex.auth.names import no_access
from ibex.cli.errors import explained
from ibex.storage import DatabaseUnavailableError


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (PepperError("The pepper is another's."), r"The pepper is another's\.$"),
        (no_access("token"), r"There is no such token in this organization"),
        (DatabaseUnavailableError("no route\nto host"), r"The database does not answer: no route\.$"),
        (psycopg.errors.UndefinedTable(), r"has no schema of IBEX yet\. Create it with: ibex migrate$"),
        (psycopg.errors.InsufficientPrivilege("denied\nby rule"), r"refuses what IBEX needs: denied\.$"),
    ],
)
def test_it_is_a_sentence_and_status_1(error: Exception, sentence: str) -> None:
    with pytest.raises(click.ClickException, match=sentence) as raised, explained():
        raise error
    assert raised.value.exit_code == 1
    assert "\n" not in raised.value.message


def test_what_could_not_be_foreseen_is_not_hidden() -> None:
    with pytest.raises(KeyError), explained():
        raise KeyError
