"""Newest demand and supply, in the key-value store of Ray's head (GCS)."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError
from ray.exceptions import RayError
from ray.experimental import internal_kv

from models.errors import Unavailable
from models.fleet import Demand, Supply
from models.live import FleetStore

T = TypeVar("T")

_NAMESPACE = b"atelier"
_SECONDS = 2.0
_DEMANDS = TypeAdapter(Demand)
_SUPPLIES = TypeAdapter(Supply)


class RayFleetStore(FleetStore):
    """Newest demand and supply of an application's runtimes, for all processes of one Ray.

    ``application``: name of the Serve application, so that two on one Ray keep apart. What another
    version wrote is read as far as both know its fields.
    """

    def __init__(self, application: str) -> None:
        self._application = application

    async def write_demand(self, runtime: str, demand: Demand) -> None:
        await self._write(runtime, "demand", _DEMANDS.dump_json(demand))

    async def demand(self, runtime: str) -> Demand | None:
        return await self._read(runtime, "demand", _DEMANDS)

    async def write_supply(self, runtime: str, supply: Supply) -> None:
        await self._write(runtime, "supply", _SUPPLIES.dump_json(supply))

    async def supply(self, runtime: str) -> Supply | None:
        return await self._read(runtime, "supply", _SUPPLIES)

    async def _write(self, runtime: str, what: str, value: bytes) -> None:
        key = self._key(runtime, what)
        await _answer(
            lambda gcs: gcs.internal_kv_put(key, value, True, _NAMESPACE, timeout=_SECONDS)
        )

    async def _read(self, runtime: str, what: str, kind: TypeAdapter[T]) -> T | None:
        key = self._key(runtime, what)
        found: bytes | None = await _answer(
            lambda gcs: gcs.internal_kv_get(key, _NAMESPACE, timeout=_SECONDS)
        )
        try:
            return None if found is None else kind.validate_json(found)
        except ValidationError as exc:
            raise Unavailable(f"the {what} of {runtime} is written by another version") from exc

    def _key(self, runtime: str, what: str) -> bytes:
        return f"fleet/{self._application}/{runtime}/{what}".encode()


async def _answer(call: Callable[[Any], T]) -> T:
    """Wait for a call of GCS's client, which blocks, for two seconds at most.

    Raises:
        Unavailable: GCS refused it or did not answer, or this process has left Ray.
    """
    gcs = internal_kv.internal_kv_get_gcs_client()
    if gcs is None:
        raise Unavailable("this process is not connected to Ray")
    try:
        # The call's own deadline begins when it has one of the threads, this one when it is made.
        async with asyncio.timeout(_SECONDS):
            return await asyncio.get_running_loop().run_in_executor(_threads(), call, gcs)
    except (RayError, TimeoutError) as exc:
        raise Unavailable(f"Ray's head did not answer: {type(exc).__name__}") from exc


@cache
def _threads() -> ThreadPoolExecutor:
    """Return the threads of these calls: the loop's own are Serve's where this runs in Serve."""
    return ThreadPoolExecutor(max_workers=4, thread_name_prefix="fleet-store")
