"""Newest demand and supply in memory."""

from models.fleet import Demand, Supply
from models.live import FleetStore


class MemoryFleetStore(FleetStore):
    """Newest demand and supply of each runtime, in this process."""

    def __init__(self) -> None:
        self._demands: dict[str, Demand] = {}
        self._supplies: dict[str, Supply] = {}

    async def write_demand(self, runtime: str, demand: Demand) -> None:
        self._demands[runtime] = demand

    async def demand(self, runtime: str) -> Demand | None:
        return self._demands.get(runtime)

    async def write_supply(self, runtime: str, supply: Supply) -> None:
        self._supplies[runtime] = supply

    async def supply(self, runtime: str) -> Supply | None:
        return self._supplies.get(runtime)
