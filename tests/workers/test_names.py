"""What the workers do is counted under its name."""

from ibex.app import Connections, JobParts
from ibex.settings import load
from ibex.telemetry.instruments import JOBS
from tests.operator import KEYS, PEPPER


async def test_every_job_has_a_series_of_its_own() -> None:
    parts = JobParts(load({}), Connections("", "redis://127.0.0.1:1", PEPPER, KEYS))
    names = {job.name for job in parts.periodic} | {job.name for job in parts.on_demand}
    assert names == set(JOBS)
