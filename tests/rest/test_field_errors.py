"""What is wrong with a field is said in one way, whoever found it."""

import pytest

from ibex.auth import ALL
from tests.operator import Operator
from tests.rest.api import Api
from tests.service import Service


@pytest.mark.parametrize(
    ("method", "path", "body", "field", "says"),
    [
        ("POST", "/tokens", {"permissions": ["chat"]}, "name", "It must be given"),
        ("POST", "/agents", {"name": "x", "slugg": "x"}, "slugg", "There is no such field"),
        ("GET", "/tokens/mine", None, "token_id", "It must be an id, which is a UUID"),
        ("POST", "/tokens", {"name": "x", "permissions": ["chat"], "agent_id": 7}, "agent_id", "an id"),
        ("GET", "/audit?since=yesterday", None, "since", "such as 2030-01-31T12:00:00Z"),
        ("GET", "/audit?since=2030-01-31T12:00:00", None, "since", "Say in which time zone"),
    ],
)
async def test_a_wrong_field_is_named_and_explained(
    service: Service, operator: Operator, method: str, path: str, body: object, field: str, says: str
) -> None:
    async with Api(service, await operator.token(service.org_id, ALL, None)) as api:
        error = (await api.call(method, path, body)).json()["error"]
    assert (error["code"], error["param"]) == ("VALIDATION_ERROR", field)
    assert says in error["message"]
    assert says in error["field_errors"][0]["message"]
