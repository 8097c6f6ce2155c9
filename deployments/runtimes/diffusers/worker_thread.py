"""One thread for all blocking work: the event loop never waits, and no two runs overlap."""

import asyncio
import contextlib
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeVar

from deployments.run_to_end import run_to_end

T = TypeVar("T")
_END = object()


@dataclass(eq=False)
class _Walk:
    """One walk over an iterator: asked to stop, it ends before the next step."""

    stop: threading.Event = field(default_factory=threading.Event)
    ended: threading.Event = field(default_factory=threading.Event)


class WorkerThread:
    """Runs blocking functions and walks blocking iterators in its single thread."""

    def __init__(self, name: str) -> None:
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix=name)
        self._walk: _Walk | None = None

    async def call(self, work: Callable[[], T]) -> T:
        """Its result; a caller that is cancelled still waits for the work to end."""
        future = self._thread.submit(work)
        await run_to_end(_ended(future))
        return future.result()

    async def walk(self, begin: Callable[[], Generator[T]]) -> AsyncGenerator[T, None]:
        """Each item as it comes; leaving the iteration ends the walk at its next item.

        A walk that `stop` ended is just shorter: the caller knows what must come last.
        """
        walk, loop = _Walk(), asyncio.get_running_loop()
        told: asyncio.Queue[object] = asyncio.Queue()

        def tell(item: object) -> None:
            with contextlib.suppress(RuntimeError):  # the loop is gone; nobody listens
                loop.call_soon_threadsafe(told.put_nowait, item)

        future = self._thread.submit(_step_through, begin, walk, tell)
        future.add_done_callback(lambda _: tell(_END))
        self._walk = walk
        try:
            while (item := await told.get()) is not _END:
                yield item  # type: ignore[misc]  # the queue holds what `begin` yields, or _END
            future.result()
        finally:
            walk.stop.set()
            await run_to_end(_ended(future))
            self._walk = None

    async def stop(self) -> bool:
        """End the walk under way before its next step; whether there was one."""
        if (walk := self._walk) is None:
            return False
        walk.stop.set()
        await asyncio.to_thread(walk.ended.wait)
        return True

    async def close(self) -> None:
        await self.stop()
        self._thread.shutdown(wait=False, cancel_futures=True)


def _step_through(
    begin: Callable[[], Generator[T]], walk: _Walk, tell: Callable[[object], None]
) -> None:
    try:
        if walk.stop.is_set():
            return
        with contextlib.closing(begin()) as items:
            for item in _until(walk.stop, items):
                tell(item)
    finally:
        walk.ended.set()


def _until(stop: threading.Event, items: Iterator[T]) -> Iterator[T]:
    for item in items:
        yield item
        if stop.is_set():
            return


def _ended(future: "Future[T]") -> Awaitable[Any]:
    """Return when the thread's work has ended, whatever its outcome."""
    return asyncio.gather(asyncio.wrap_future(future), return_exceptions=True)
