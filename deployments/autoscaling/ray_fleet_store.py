"""Newest demands and supply, in the key-value store of Ray's head (GCS)."""

from collections.abc import Mapping
from contextlib import suppress
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError

from deployments import head_store
from models.errors import Unavailable
from models.fleet import Demand, Supply
from models.live import FleetStore

T = TypeVar("T")

_DEMANDS = TypeAdapter(Demand)
_SUPPLIES = TypeAdapter(Supply)


class RayFleetStore(FleetStore):
    """Newest demands and supply of an application's runtimes, for all processes of one Ray.

    ``application``: name of the Serve application, so that two on one Ray keep apart. What another
    version wrote is read as far as both know its fields.
    """

    def __init__(self, application: str) -> None:
        self._application = application

    async def write_demand(self, runtime: str, ingest: str, demand: Demand) -> None:
        await head_store.write(self._demand_key(runtime, ingest), _DEMANDS.dump_json(demand))

    async def demands(self, runtime: str) -> Mapping[str, Demand]:
        prefix = self._demand_key(runtime, "")
        demands = {}
        for key, value in (await head_store.read_below(prefix)).items():
            with suppress(Unavailable):  # one that is gone may have been of another version
                demands[key.removeprefix(prefix).decode()] = _parsed(value, _DEMANDS, runtime)
        return demands

    async def drop_demand(self, runtime: str, ingest: str) -> None:
        await head_store.delete(self._demand_key(runtime, ingest))

    async def write_supply(self, runtime: str, supply: Supply) -> None:
        await head_store.write(self._key(runtime, "supply"), _SUPPLIES.dump_json(supply))

    async def supply(self, runtime: str) -> Supply | None:
        found = await head_store.read(self._key(runtime, "supply"))
        return None if found is None else _parsed(found, _SUPPLIES, f"the supply of {runtime}")

    def _demand_key(self, runtime: str, ingest: str) -> bytes:
        return self._key(runtime, f"demand/{ingest}")

    def _key(self, runtime: str, what: str) -> bytes:
        return f"fleet/{self._application}/{runtime}/{what}".encode()


def _parsed(value: bytes, kind: TypeAdapter[T], what: str) -> T:
    try:
        return kind.validate_json(value)
    except ValidationError as exc:
        raise Unavailable(f"{what} is written by another version") from exc
