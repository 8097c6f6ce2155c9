"""Batching: gathers single calls into the batch calls that SQS has."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

Entry = TypeVar("Entry")
Send = Callable[[Sequence[Entry]], Awaitable[Sequence[Exception | None]]]
"""Make one batch call; return for each entry what went wrong with it, in their order."""


class Batch(Generic[Entry]):
    """Gathers entries while a call is under way, and tells each caller what became of its own."""

    def __init__(self, send: Send[Entry], *, most: int = 10) -> None:
        self._send = send
        self._most = most
        self._waiting: list[_Waiting[Entry]] = []
        self._sending: asyncio.Task[None] | None = None

    async def add(self, entry: Entry) -> None:
        """Wait until the entry was sent; a call begins at the event loop's next turn.

        Raises:
            Exception: what ``send`` raised for the batch, or returned for this entry.
        """
        waiting = _Waiting(entry, asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        # Nothing awaits between the last, empty `_next` and the end of its task, so no entry falls
        # between two senders. It is kept, since an event loop refers to its tasks but weakly.
        if self._sending is None or self._sending.done():
            self._sending = asyncio.create_task(self._send_all())
        await waiting.answer

    async def _send_all(self) -> None:
        while batch := self._next():
            for waiting, error in zip(batch, await self._call(batch), strict=True):
                waiting.settle(error)

    def _next(self) -> "Sequence[_Waiting[Entry]]":
        """Take the next batch, without entries whose caller was cancelled.

        Else a renewal that was cancelled could arrive after the hand-back that followed it.
        """
        waited_for = [waiting for waiting in self._waiting if not waiting.answer.done()]
        batch, self._waiting = waited_for[: self._most], waited_for[self._most :]
        return batch

    async def _call(self, batch: "Sequence[_Waiting[Entry]]") -> Sequence[Exception | None]:
        try:
            return await self._send([waiting.entry for waiting in batch])
        except Exception as exc:  # noqa: BLE001 - raised again where the entry is waited for
            return [exc] * len(batch)
        except asyncio.CancelledError:
            # Else those in `add` would wait for ever: nobody is left to settle their answers.
            for waiting in (*batch, *self._waiting):
                waiting.answer.cancel()
            raise


@dataclass(frozen=True)
class _Waiting(Generic[Entry]):
    entry: Entry
    answer: asyncio.Future[None]

    def settle(self, error: Exception | None) -> None:
        if self.answer.done():  # nobody waits for it any more
            return
        if error is None:
            self.answer.set_result(None)
        else:
            self.answer.set_exception(error)
