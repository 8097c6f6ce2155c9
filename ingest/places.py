"""Places at the replicas of a runtime, for which runs wait here."""

import asyncio
import math
import time
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager, suppress

from models.event import Update
from models.ports import Runner
from models.report import Stage
from models.task import Task

_PATIENCE_SECONDS = 1.0
"""Seconds that a run waits for a GPU before it is handed to the replicas again."""


class Places(Runner):
    """Replicas that get no more runs at once than they admit; others wait, the first comes first.

    A run that waited at Serve while no replica is there would start one past the scaling policy,
    and Serve asks that no more until it runs. There is no limit until one is set. ``clock``: the
    monotonic seconds by which a run's wait is measured.
    """

    def __init__(self, runner: Runner, clock: Callable[[], float] = time.monotonic) -> None:
        self._runner = runner
        self._clock = clock
        self._count = math.inf
        self._taken = 0
        self._open = asyncio.Event()
        """Set while any run may be handed over."""
        self._open.set()
        self._waiting = deque[asyncio.Future[None]]()
        self._there: dict[_Place, None] = {}
        """Places that are taken, the first first."""

    def resize(self, count: float) -> None:
        """Let so many runs be there at once from now on; those that are there stay.

        At zero only those that have begun stay: the others go first as soon as it is more.
        """
        self._count = count
        if count:
            self._open.set()
        else:
            self._open.clear()
            now = self._clock()
            for place in self._there:
                if not place.begun:
                    place.withdraw(now)
        self._fill()

    @property
    def begun(self) -> int:
        """Number of runs that have begun and not ended."""
        return sum(place.begun for place in self._there)

    def spread(self, replicas: int) -> None:
        """Hand runs that wait for a GPU to the replicas again, one for each replica without a run.

        A replica that came first took all that it admits, and those that came later would idle;
        Serve prefers them. Runs that have begun stay; the first of the others go first. Each waits
        for a second before, and after a move in vain twice as long. ``replicas``: how many run, or
        this ingest's share of them: which of them others keep busy it does not know.
        """
        if replicas <= 1:  # there is no other, or it may be another ingest's
            return
        now = self._clock()
        idle = replicas - sum(place.may_have_gpu(now) for place in self._there)
        impatient = [place for place in self._there if place.is_impatient(now)]
        for place in impatient[: max(0, idle)]:
            place.withdraw(now)

    async def run(self, task: Task, attempt: int) -> AsyncGenerator[Update, None]:
        async with self._place() as place:
            while True:
                await self._open.wait()
                place.handed_at = self._clock()
                with suppress(_Withdrawn):
                    async with aclosing(self._runner.run(task, attempt)) as updates:
                        while (update := await place.next(updates)) is not None:
                            yield update
                    return

    @asynccontextmanager
    async def _place(self) -> "AsyncIterator[_Place]":
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        self._fill()
        place = _Place(self._clock)
        try:
            await turn
            self._there[place] = None
            yield place
        finally:
            self._there.pop(place, None)
            if turn.cancelled():  # with the caller
                with suppress(ValueError):
                    self._waiting.remove(turn)
            else:
                self._taken -= 1
                self._fill()

    def _fill(self) -> None:
        while self._waiting and self._taken < self._count:
            turn = self._waiting.popleft()
            if not turn.cancelled():
                self._taken += 1
                turn.set_result(None)


class _Withdrawn(Exception):
    """A run was withdrawn from its replica before it began."""


class _Place:
    """Place of a run that was handed to the replicas."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self.handed_at = -math.inf
        self._waits_since: float | None = None
        """Time at which its replica said that another run has the GPU; None: it has not."""
        self.begun = False
        """Flag: the run has the GPU, or had it."""
        self._patience = _PATIENCE_SECONDS
        self._limit: asyncio.Timeout | None = None

    def may_have_gpu(self, now: float) -> bool:
        """Tell whether the run has begun, or may be about to: it was handed over just now."""
        is_new = self._waits_since is None and now - self.handed_at < _PATIENCE_SECONDS
        return self.begun or is_new

    def is_impatient(self, now: float) -> bool:
        """Tell whether the run has waited for another one's GPU for long, and may be moved."""
        since = self._waits_since
        return self._limit is not None and since is not None and now - since > self._patience

    def withdraw(self, now: float) -> None:
        """Let `next` raise `_Withdrawn`, as one that is handed over now."""
        if self._limit is not None:
            self._limit.reschedule(-math.inf)
            self._limit = None
        self.handed_at, self._waits_since = now, None
        self._patience *= 2

    async def next(self, updates: AsyncGenerator[Update, None]) -> Update | None:
        """Return the next update, None after the last; that the run waits is for the place alone.

        Raises:
            _Withdrawn: the run did not begin before `withdraw`.
        """
        while (update := await self._received(updates)) is Stage.WAITING:
            self._waits_since = self._clock()
        self._waits_since = None
        self.begun = self.begun or isinstance(update, Stage)
        return update

    async def _received(self, updates: AsyncGenerator[Update, None]) -> Update | None:
        if self.begun:
            return await anext(updates, None)
        limit = self._limit = asyncio.timeout(None)
        try:
            async with limit:  # never around a yield
                return await anext(updates, None)
        except TimeoutError:
            if not limit.expired():  # the run's own
                raise
            raise _Withdrawn from None
        finally:
            self._limit = None
