"""`ibex drift`."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from ibex.cli import main
from ibex.drift import DriftWatch
from tests.drift.calls import Caller, watch
from tests.fixtures import Database
from tests.operator import MASTER_KEY, Operator

Ibex = Callable[..., str]

_LEARNED = 200


@pytest.fixture
def ibex(database: Database, tmp_path: Path) -> Ibex:
    """What the command line says of an agent `helper` that is slow since its baseline was learned."""

    async def fill() -> None:
        async with Operator(database.service_dsn, database.redis_url) as operator:
            org_id = await operator.organization("default")
            caller = Caller(org_id, (await operator.agent(org_id)).id)
            watching = DriftWatch(operator.administration.agents, baseline_calls=_LEARNED)
            for calls in (caller.calls(_LEARNED), caller.slow_calls(_LEARNED, 4.0)):
                await watch(watching, operator.postgres, org_id, calls)

    asyncio.run(fill())
    environment = {
        "IBEX_POSTGRES_DSN": database.service_dsn,
        "IBEX_REDIS_URL": database.redis_url,
        "IBEX_TOKEN_PEPPER": "0123456789abcdef" * 4,
        "IBEX_MASTER_KEY": MASTER_KEY,
        "IBEX_DATA_DIR": str(tmp_path),
    }

    def run(*arguments: str) -> str:
        result = CliRunner().invoke(main, ["drift", *arguments], env=environment)
        assert result.exit_code == 0, result.output
        return result.output

    return run


def test_alerts_are_seen_and_settled_and_a_baseline_is_set_and_reset(ibex: Ibex) -> None:
    [watched] = json.loads(ibex("status", "--agent", "helper", "--json"))
    [alert] = json.loads(ibex("alerts", "--agent", "helper", "--json"))

    assert watched["alert_id"] == alert["id"]
    assert alert["id"] in ibex("status", "--agent", "helper")
    assert "latency" in ibex("alerts", "--agent", "helper")
    assert ibex("acknowledge", alert["id"]) == "The alert is acknowledged.\n"
    assert ibex("false-alarm", alert["id"]) == "The alert is a false alarm.\n"
    assert "200 calls" in ibex("set-baseline", "--calls", "200", "--agent", "helper")
    assert "learned" in ibex("reset-baseline", "--agent", "helper")
    assert "learning" in ibex("status", "--agent", "helper")
