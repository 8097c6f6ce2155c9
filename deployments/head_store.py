"""Key-value store of Ray's head (GCS), whose API is not stable: this file alone calls it.

Its client blocks, so each call is made in a thread, and takes two seconds at most.
"""

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import cache
from typing import Any, TypeVar

import ray
from ray.exceptions import RayError
from ray.experimental import internal_kv

from models.errors import Unavailable

T = TypeVar("T")

_NAMESPACE = b"atelier"
_SECONDS = 2.0
_writes: dict[bytes, "Future[Any]"] = {}
"""Newest write of each key by this process, under way or over."""


async def read(key: bytes) -> bytes | None:
    """Read a value; None if there is none.

    Raises:
        Unavailable: the head did not answer, or this process has left Ray.
    """
    found: bytes | None = await _answer(
        lambda gcs: gcs.internal_kv_get(key, _NAMESPACE, timeout=_SECONDS)
    )
    return found


async def read_below(prefix: bytes) -> Mapping[bytes, bytes]:
    """Read all values whose keys begin so, by their keys; raises `Unavailable`."""
    return await _answer(lambda gcs: _below(gcs, prefix))


async def write(key: bytes, value: bytes) -> None:
    """Put a value in the place of the last one; raises `Unavailable`, and may yet have done it."""
    write = _begin(lambda gcs: gcs.internal_kv_put(key, value, True, _NAMESPACE, timeout=_SECONDS))
    _writes[key] = write
    await _end(write)


async def delete(key: bytes) -> None:
    """Forget a value, also one whose write is under way here; raises `Unavailable`."""
    if (write := _writes.pop(key, None)) and not write.cancel():
        with suppress(Unavailable):  # who waited for it may be gone: its thread is not
            await _end(write)
    await _answer(lambda gcs: gcs.internal_kv_del(key, False, _NAMESPACE, timeout=_SECONDS))


async def find_actor(name: str, namespace: str) -> Any | None:
    """Find the handle of an actor by its name; None if there is none (any more).

    Raises `Unavailable` like the others: the head knows of actors, too.
    """
    try:
        return await _answer(lambda _: ray.get_actor(name, namespace=namespace))
    except ValueError:
        return None


def _below(gcs: Any, prefix: bytes) -> Mapping[bytes, bytes]:
    """Read all values whose keys begin so, with two calls of GCS's client."""
    keys = gcs.internal_kv_keys(prefix, _NAMESPACE, timeout=_SECONDS)
    return gcs.internal_kv_multi_get(keys, _NAMESPACE, timeout=_SECONDS) if keys else {}


async def _answer(call: Callable[[Any], T]) -> T:
    return await _end(_begin(call))


def _begin(call: Callable[[Any], T]) -> "Future[T]":
    gcs = internal_kv.internal_kv_get_gcs_client()
    if gcs is None:
        raise Unavailable("this process is not connected to Ray")
    return _threads().submit(call, gcs)


async def _end(call: "Future[T]") -> T:
    try:
        # The call's own deadline begins when it has one of the threads, this one when it is made.
        async with asyncio.timeout(_SECONDS):
            return await asyncio.wrap_future(call)
    except (RayError, TimeoutError) as exc:
        raise Unavailable(f"Ray's head did not answer: {type(exc).__name__}") from exc


@cache
def _threads() -> ThreadPoolExecutor:
    """Return the threads of these calls: the loop's own are Serve's where this runs in Serve."""
    return ThreadPoolExecutor(max_workers=4, thread_name_prefix="head-store")
