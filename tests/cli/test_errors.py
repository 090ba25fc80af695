"""What a command says of a failure that could be foreseen."""

import click
import pytest

from ibex.auth import NotAnnouncedError
from ibex.cli.errors import explained


def test_a_change_that_could_not_be_announced_is_a_sentence_and_status_1() -> None:
    with pytest.raises(click.ClickException, match="Done, but running processes") as raised, explained():
        raise NotAnnouncedError("Done, but running processes could not be told.")
    assert raised.value.exit_code == 1
