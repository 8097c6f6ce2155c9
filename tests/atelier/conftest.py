from collections.abc import AsyncIterator, Iterator

import pytest

from atelier import AsyncClient, Client
from atelier.channel import AsyncChannel
from tests.atelier.there import KEY, There, running


@pytest.fixture
def there() -> Iterator[There]:
    with running() as there:
        yield there


@pytest.fixture
def client(there: There) -> Iterator[Client]:
    with Client(there.url, KEY) as client:
        yield client


class Impatient(AsyncChannel):
    """Notes how long it was to sleep, and does not."""

    def __init__(self) -> None:
        super().__init__()
        self.slept: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


@pytest.fixture
def channel() -> Impatient:
    return Impatient()


@pytest.fixture
async def hasty(there: There, channel: Impatient) -> AsyncIterator[AsyncClient]:
    """A client that tries again at once."""
    async with AsyncClient(there.url, KEY, channel=channel) as client:
        yield client
