"""Every block of code in the pages does what the page says."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from ibex.settings import load
from tests.docs.markdown import RUN, SHOWN, Block, all_blocks
from tests.end_to_end.instance import Instance, environment

pytestmark = pytest.mark.xdist_group("docs")

_ADDRESS = "127.0.0.1:8080"
_RPC_ADDRESS = "127.0.0.1:50051"
_PATIENCE = 60.0
# An error status fails the block, which curl alone does not do.
_SHELL = 'set -euo pipefail; curl() { command curl --fail-with-body --silent --show-error "$@"; };\n'
_BLOCKS = all_blocks()
_TO_RUN = [block for block in _BLOCKS if block.language in RUN and block.not_run is None]
_TO_LOAD = [block for block in _BLOCKS if block.language == "toml" and block.not_run is None]
_SQL = [block for block in _BLOCKS if block.language == "sql"]


@pytest.mark.parametrize("block", _TO_RUN, ids=str)
def test_a_command_runs_and_prints_what_is_shown(instance: Instance, block: Block) -> None:
    ran = _run(instance, block)

    assert ran.returncode == 0, ran.stderr + ran.stdout
    if block.output is not None:
        assert ran.stdout.strip("\n") == block.output.strip("\n")


@pytest.mark.parametrize("block", _TO_LOAD, ids=str)
def test_a_settings_file_loads(tmp_path: Path, block: Block) -> None:
    file = tmp_path / "ibex.toml"
    file.write_text(block.text)
    keys = dict.fromkeys(re.findall(r'api_key_env = "(\w+)"', block.text), "sk-example")

    settings = load(keys, file)

    assert all(provider.api_key for provider in settings.providers.values() if provider.api_key_env)


def test_no_block_is_left_out() -> None:
    """A block is run or loaded, or it says why it is not, or it is of a kind that is only shown."""
    taken_care_of = {*_TO_RUN, *_TO_LOAD, *_SQL}
    for block in _BLOCKS:
        assert block in taken_care_of or block.not_run or block.language in SHOWN, f"{block} is not run"


def test_what_is_not_run_is_not_much() -> None:
    assert 2 * sum(1 for block in _BLOCKS if block.not_run) < len(_TO_RUN)


def _run(instance: Instance, block: Block) -> "subprocess.CompletedProcess[str]":
    """As a reader who has pasted the lines that set the variables; only the ports are other ones."""
    text = block.text.replace(_ADDRESS, f"127.0.0.1:{instance.port}")
    text = text.replace(_RPC_ADDRESS, f"127.0.0.1:{instance.extra['IBEX_GRPC_PORT']}")
    shell = ["bash", "-c", _SHELL + text]
    python = [sys.executable, "-c", text]
    path = f"{Path(sys.executable).parent}:{environment()['PATH']}"
    return subprocess.run(
        shell if block.language == "sh" else python,
        cwd=instance.folder,
        env=environment(
            {
                "PATH": path,
                "IBEX_PORT": str(instance.port),
                "BASE_URL": f"{instance.url}/v1",
                "TOKEN": instance.token,
            }
        ),
        capture_output=True,
        text=True,
        timeout=_PATIENCE,
        check=False,
    )
