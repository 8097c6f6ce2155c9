"""Newest demands and supply, in the key-value store of Ray's head (GCS)."""

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
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
    """Newest demands and supply of an application's runtimes, for all processes of one Ray.

    ``application``: name of the Serve application, so that two on one Ray keep apart. What another
    version wrote is read as far as both know its fields.
    """

    def __init__(self, application: str) -> None:
        self._application = application

    async def write_demand(self, runtime: str, ingest: str, demand: Demand) -> None:
        await _write(self._demand_key(runtime, ingest), _DEMANDS.dump_json(demand))

    async def demands(self, runtime: str) -> Mapping[str, Demand]:
        prefix = self._demand_key(runtime, "")
        found = await _answer(lambda gcs: _below(gcs, prefix))
        demands = {}
        for key, value in found.items():
            with suppress(Unavailable):  # one that is gone may have been of another version
                demands[key.removeprefix(prefix).decode()] = _parsed(value, _DEMANDS, runtime)
        return demands

    async def drop_demand(self, runtime: str, ingest: str) -> None:
        key = self._demand_key(runtime, ingest)
        await _answer(lambda gcs: gcs.internal_kv_del(key, False, _NAMESPACE, timeout=_SECONDS))

    async def write_supply(self, runtime: str, supply: Supply) -> None:
        await _write(self._key(runtime, "supply"), _SUPPLIES.dump_json(supply))

    async def supply(self, runtime: str) -> Supply | None:
        key = self._key(runtime, "supply")
        found: bytes | None = await _answer(
            lambda gcs: gcs.internal_kv_get(key, _NAMESPACE, timeout=_SECONDS)
        )
        return None if found is None else _parsed(found, _SUPPLIES, f"the supply of {runtime}")

    def _demand_key(self, runtime: str, ingest: str) -> bytes:
        return self._key(runtime, f"demand/{ingest}")

    def _key(self, runtime: str, what: str) -> bytes:
        return f"fleet/{self._application}/{runtime}/{what}".encode()


async def _write(key: bytes, value: bytes) -> None:
    await _answer(lambda gcs: gcs.internal_kv_put(key, value, True, _NAMESPACE, timeout=_SECONDS))


def _below(gcs: Any, prefix: bytes) -> Mapping[bytes, bytes]:
    """Read all values whose keys begin so, with two calls of GCS's client."""
    keys = gcs.internal_kv_keys(prefix, _NAMESPACE, timeout=_SECONDS)
    return gcs.internal_kv_multi_get(keys, _NAMESPACE, timeout=_SECONDS) if keys else {}


def _parsed(value: bytes, kind: TypeAdapter[T], what: str) -> T:
    try:
        return kind.validate_json(value)
    except ValidationError as exc:
        raise Unavailable(f"{what} is written by another version") from exc


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
