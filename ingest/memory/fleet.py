"""Newest demands and supply in memory."""

from collections import defaultdict
from collections.abc import Mapping

from models.fleet import Demand, Supply
from models.live import FleetStore


class MemoryFleetStore(FleetStore):
    """Newest demands and supply of each runtime, in this process."""

    def __init__(self) -> None:
        self._demands: dict[str, dict[str, Demand]] = defaultdict(dict)
        self._supplies: dict[str, Supply] = {}

    async def write_demand(self, runtime: str, ingest: str, demand: Demand) -> None:
        self._demands[runtime][ingest] = demand

    async def demands(self, runtime: str) -> Mapping[str, Demand]:
        return dict(self._demands[runtime])

    async def drop_demand(self, runtime: str, ingest: str) -> None:
        self._demands[runtime].pop(ingest, None)

    async def write_supply(self, runtime: str, supply: Supply) -> None:
        self._supplies[runtime] = supply

    async def supply(self, runtime: str) -> Supply | None:
        return self._supplies.get(runtime)
