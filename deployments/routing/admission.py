"""Admission of tasks by a replica, which alone knows what all routers have sent it."""

import time
from collections.abc import Callable, Sequence

from deployments.routing.requests import Claim, Refusal, RoutingRequest

_ROUTER_SECONDS = 10.0
"""Seconds for which a router counts as one that sends tasks here."""


class Admission:
    """Admits a task if its router is right about the replica, and one change of files at a time.

    ``held``: tells the files that the replica has while no task is inside; ``clock``: monotonic
    seconds.
    """

    def __init__(
        self,
        replica: str,
        held: Callable[[], Sequence[str]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._replica = replica
        self._held = held
        self._clock = clock
        self._runs = 0
        self._expected = frozenset[str]()
        """Files that it will have when it begins the last task that was admitted."""
        self._told = frozenset[str]()
        self._changes = 0
        self._routers: dict[str, float] = {}
        """Moment at which each router sent a task last."""

    def admit(self, request: RoutingRequest) -> Refusal | None:
        """Let a task in until `leave`, or refuse it.

        What has the files of the task may be sent whenever it is; a change of them is granted
        to the first who asks for it while nothing is inside, and to whose turn it is.
        """
        self._routers[request.router] = self._clock()
        files = self._files()
        if not files.issuperset(request.need.files):
            if request.claim is Claim.HAS or (request.claim is Claim.IDLE and self._runs):
                return Refusal(self._replica, tuple(sorted(files)), self._changes, self._runs)
            files = frozenset(request.need.files)
        self._expected = files
        self._runs += 1
        return None

    def leave(self) -> None:
        """Note that a task has ended that was admitted."""
        self._runs -= 1

    @property
    def files(self) -> Sequence[str]:
        """Files that it has, or will have when it begins the last task that was admitted."""
        return sorted(self._files())

    @property
    def changes(self) -> int:
        """Count of the changes of its files that were seen so far."""
        self._files()
        return self._changes

    @property
    def routers(self) -> int:
        """Number of the routers that sent a task lately."""
        since = self._clock() - _ROUTER_SECONDS
        self._routers = {name: at for name, at in self._routers.items() if at > since}
        return len(self._routers)

    def _files(self) -> frozenset[str]:
        files = self._expected if self._runs else frozenset(self._held())
        if files != self._told:
            self._told = files
            self._changes += 1
        return files
