"""Thread for all blocking work: the event loop never waits, and no two runs overlap."""

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
class _Iteration:
    """Iteration under way: asked to stop, it ends before the next item."""

    stop: threading.Event = field(default_factory=threading.Event)
    ended: threading.Event = field(default_factory=threading.Event)


class WorkerThread:
    """Runs blocking functions and blocking iterators, all in its single thread."""

    def __init__(self, name: str) -> None:
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix=name)
        self._iteration: _Iteration | None = None

    async def call(self, work: Callable[[], T]) -> T:
        """Run a function and return its result; if cancelled, still wait for the function's end."""
        future = self._thread.submit(_result, work)
        await run_to_end(_ended(future))
        return future.result()

    async def iterate(self, begin: Callable[[], Generator[T]]) -> AsyncGenerator[T, None]:
        """Yield each item as it comes; closing the iteration ends the iterator at its next item.

        An iteration that `stop` ended is just shorter: the caller knows what must come last.
        """
        iteration, loop = _Iteration(), asyncio.get_running_loop()
        items: asyncio.Queue[object] = asyncio.Queue()

        def put(item: object) -> None:
            with contextlib.suppress(RuntimeError):  # the loop is closed; nobody reads any more
                # In the loop's own thread, the only one that may touch its queue.
                loop.call_soon_threadsafe(items.put_nowait, item)

        future = self._thread.submit(_step_through, begin, iteration, put)
        # Also if the work raised or was never begun: the reader must not wait for ever.
        future.add_done_callback(lambda _: put(_END))
        self._iteration = iteration
        try:
            while (item := await items.get()) is not _END:
                yield item  # type: ignore[misc]  # the queue holds what `begin` yields, or _END
            future.result()
        finally:
            iteration.stop.set()
            # The iterator cleans up in the thread (a LoRA is removed): no other run before that.
            await run_to_end(_ended(future))
            self._iteration = None

    async def stop(self) -> bool:
        """End the iteration under way before its next item; False if there is none."""
        if (iteration := self._iteration) is None:
            return False
        iteration.stop.set()
        await asyncio.to_thread(iteration.ended.wait)
        return True

    async def close(self) -> None:
        """End the iteration under way, and the thread after it."""
        await self.stop()
        self._thread.shutdown(wait=False, cancel_futures=True)  # waiting would block the loop


def _result(work: Callable[[], T]) -> T:
    try:
        return work()
    except StopIteration as exc:  # asyncio's futures cannot hold one, and would never be done
        raise RuntimeError("an iteration was empty") from exc


def _step_through(
    begin: Callable[[], Generator[T]], iteration: _Iteration, put: Callable[[object], None]
) -> None:
    try:
        if iteration.stop.is_set():
            return
        with contextlib.closing(begin()) as iterator:
            for item in _until(iteration.stop, iterator):
                put(item)
    finally:
        iteration.ended.set()


def _until(stop: threading.Event, items: Iterator[T]) -> Iterator[T]:
    for item in items:
        yield item
        if stop.is_set():
            return


def _ended(future: "Future[T]") -> Awaitable[Any]:
    """Return when the thread's work has ended, whatever its outcome."""
    return asyncio.gather(asyncio.wrap_future(future), return_exceptions=True)
