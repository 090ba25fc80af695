"""The first start leaves an identity that works; later ones leave it alone."""

import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from ibex.auth import EVERYTHING, Credentials, Grant, bootstrap, token_id
from ibex.auth.bootstrap import CREDENTIALS
from ibex.auth.tokens.service import TokenService
from tests.auth.validators import checking
from tests.fixtures import Database
from tests.operator import Operator

URL = "http://127.0.0.1:8080/v1"


async def test_the_first_start_creates_an_identity_that_works(
    operator: Operator, database: Database, tmp_path: Path
) -> None:
    credentials = await bootstrap(operator.administration, tmp_path, URL)
    assert credentials is not None
    file = tmp_path / CREDENTIALS
    assert file.stat().st_mode & 0o777 == 0o600
    assert json.loads(file.read_text()) == {
        "base_url": URL,
        "token": credentials.token,
        "org_id": credentials.org_id,
        "agent_id": credentials.agent_id,
    }
    async with checking(database) as checked:
        principal = await checked.validator.authenticate_agent(credentials.token, None, None)
    assert str(principal.org_id) == credentials.org_id
    assert str(principal.agent_id) == credentials.agent_id
    assert Grant(principal.permissions, principal.platform) == EVERYTHING


async def test_a_second_start_changes_nothing(operator: Operator, tmp_path: Path) -> None:
    first = await bootstrap(operator.administration, tmp_path, URL)
    assert await bootstrap(operator.administration, tmp_path, URL) == first


async def test_a_new_address_is_written_down(operator: Operator, tmp_path: Path) -> None:
    first = await bootstrap(operator.administration, tmp_path, URL)
    moved = await bootstrap(operator.administration, tmp_path, "http://127.0.0.1:9090/v1")
    assert first is not None
    assert moved is not None
    assert moved.token == first.token
    assert Credentials.read(tmp_path / CREDENTIALS) == moved


async def test_a_start_that_was_killed_is_completed(
    operator: Operator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def die(*arguments: object, **options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(TokenService, "create", die)
    with pytest.raises(KeyboardInterrupt):
        await bootstrap(operator.administration, tmp_path, URL)
    monkeypatch.undo()
    credentials = await bootstrap(operator.administration, tmp_path, URL)
    assert credentials is not None
    org_id = await operator.administration.organizations.find_by_slug("default")
    assert org_id is not None
    listed = await operator.administration.tokens.page(org_id, None, 10)
    assert [token.id for token in listed] == [token_id(credentials.token)]


async def test_the_credentials_of_another_database_are_not_shown(operator: Operator, tmp_path: Path) -> None:
    await bootstrap(operator.administration, tmp_path, URL)
    other = tmp_path / "other"
    other.mkdir()
    assert await bootstrap(operator.administration, other, URL) is None


def test_writers_that_share_a_volume_do_not_write_into_one_draft(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In containers of their own all of them may be process 1."""
    monkeypatch.setattr(os, "getpid", lambda: 1)
    path = tmp_path / CREDENTIALS
    every = [Credentials(URL * (n + 1), "token", "org", "agent") for n in range(20)]
    with ThreadPoolExecutor(20) as pool:
        list(pool.map(lambda credentials: credentials.write(path), every))
    assert Credentials.read(path) in every
    assert list(tmp_path.iterdir()) == [path]
    assert path.stat().st_mode & 0o777 == 0o600


async def test_a_new_address_is_written_while_no_other_start_writes(
    operator: Operator, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await bootstrap(operator.administration, tmp_path, URL)
    written_alone: list[bool] = []
    write = Credentials.write

    def noting(credentials: Credentials, path: Path) -> None:
        with psycopg.connect(database.superuser_dsn) as connection:
            row = connection.execute("SELECT 1 FROM pg_locks WHERE locktype = 'advisory'").fetchone()
        written_alone.append(row is not None)
        write(credentials, path)

    monkeypatch.setattr(Credentials, "write", noting)
    await bootstrap(operator.administration, tmp_path, "http://127.0.0.1:9090/v1")
    assert written_alone == [True]


def test_the_token_is_not_in_the_repr() -> None:
    assert "secret" not in repr(Credentials(URL, "ibex_pat_secret", "o", "a"))
