"""What a start does about master keys: it makes the first one, and refuses wrong ones without a change."""

from pathlib import Path

import pytest

from ibex.auth import KeyRing, MasterKeyError, installation_keys, verify_keys
from ibex.auth.credentials.master_key import MasterKey
from tests.operator import KEYS, MASTER_KEY, Operator

API_KEY = "sk-of-acme-0123456789abcdef"


def files(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


async def with_credential(operator: Operator) -> None:
    org_id = await operator.organization()
    await operator.administration.credentials.put(operator.actor(org_id), "openai", API_KEY)


async def test_the_first_start_makes_a_key_and_later_ones_use_it(operator: Operator, tmp_path: Path) -> None:
    first = await installation_keys(operator.postgres, tmp_path, None, None)
    file = tmp_path / "secrets" / "master-keys"
    assert file.stat().st_mode & 0o777 == 0o600
    again = await installation_keys(operator.postgres, tmp_path, None, None)
    assert again.primary() == first.primary()


async def test_a_given_key_is_not_written_down(operator: Operator, tmp_path: Path) -> None:
    await installation_keys(operator.postgres, tmp_path, MASTER_KEY, None)
    assert files(tmp_path) == {}


async def test_a_missing_key_stops_the_start_and_none_is_made(operator: Operator, tmp_path: Path) -> None:
    await with_credential(operator)
    with pytest.raises(MasterKeyError, match=KEYS.primary().id) as caught:
        await installation_keys(operator.postgres, tmp_path, None, None)
    assert "IBEX_MASTER_KEY" in str(caught.value)
    assert files(tmp_path) == {}


async def test_a_wrong_key_stops_the_start_and_the_right_one_goes_on(
    operator: Operator, tmp_path: Path
) -> None:
    await with_credential(operator)
    wrong = MasterKey.generate()
    with pytest.raises(MasterKeyError, match=KEYS.primary().id) as caught:
        await installation_keys(operator.postgres, tmp_path, wrong.secret.hex(), None)
    assert wrong.secret.hex() not in str(caught.value)
    assert MASTER_KEY not in str(caught.value)
    await installation_keys(operator.postgres, tmp_path, MASTER_KEY, None)
    await installation_keys(operator.postgres, tmp_path, f"{wrong.secret.hex()},{MASTER_KEY}", None)


async def test_a_file_that_is_named_and_not_there_is_not_made(operator: Operator, tmp_path: Path) -> None:
    named = tmp_path / "mounted" / "key"
    with pytest.raises(MasterKeyError, match="mounted"):
        await installation_keys(operator.postgres, tmp_path, None, named)
    assert files(tmp_path) == {}
    named.parent.mkdir()
    named.write_text(MASTER_KEY)
    assert (await installation_keys(operator.postgres, tmp_path, None, named)).primary() == KEYS.primary()


async def test_a_database_without_provider_keys_needs_no_particular_one(operator: Operator) -> None:
    await operator.organization()
    await verify_keys(operator.postgres, KeyRing.given("00" * 32))
