"""Newest demand and supply in memory."""

import pytest

from ingest.memory import MemoryFleetStore
from models.live import FleetStore
from tests.contracts.fleet import FleetStoreContract


class TestMemoryFleetStore(FleetStoreContract):
    @pytest.fixture
    def store(self) -> FleetStore:
        return MemoryFleetStore()
