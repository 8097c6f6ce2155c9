"""Store of API keys in memory."""

from collections.abc import Sequence

from models.ports import KeyStore
from models.settings.api_keys import ApiKey


class MemoryKeys(KeyStore):
    """Store of keys in a list."""

    def __init__(self, keys: Sequence[ApiKey] = ()) -> None:
        self.keys = keys

    async def read(self) -> Sequence[ApiKey]:
        return self.keys
