"""A store of API keys in memory."""

from collections.abc import Sequence

from models.api_key import ApiKey
from models.ports import KeyStore


class MemoryKeys(KeyStore):
    """A store of keys in a list."""

    def __init__(self, keys: Sequence[ApiKey] = ()) -> None:
        self.keys = keys

    async def read(self) -> Sequence[ApiKey]:
        return self.keys
