"""A chat completion through the service, with the official client."""

from tests.providers.stub import StubProvider
from tests.service import API_KEY, Service


async def test_an_answer_comes_through(service: Service, stub_provider: StubProvider) -> None:
    async with service.openai() as client:
        answer = await client.chat.completions.create(
            model="gpt-4o-mini", messages=[{"role": "user", "content": "hello"}]
        )
    assert answer.choices[0].message.content
    request = stub_provider.requests[0]
    assert dict(request.headers)["authorization"] == f"Bearer {API_KEY}"


async def test_a_stream_comes_through(service: Service) -> None:
    async with service.openai() as client:
        stream = await client.chat.completions.create(
            model="gpt-4o-mini", messages=[{"role": "user", "content": "hello"}], stream=True
        )
        pieces = [chunk async for chunk in stream]
    assert len(pieces) > 10
