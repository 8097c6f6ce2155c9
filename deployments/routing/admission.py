"""Admission of tasks by a replica, which alone knows what all routers have sent it."""

import time
from collections.abc import Callable, Sequence

from deployments.routing.requests import Claim, Refusal, RoutingRequest

_ROUTER_SECONDS = 10.0
"""Seconds for which a router counts as one that sends tasks here."""
_KEPT_SECONDS = 1.0
"""Most seconds for which a replica without a task is kept for those that follow."""
_KEPT_SHARE = 1 / 3
"""Share of a load's seconds for which it is kept."""


class Admission:
    """Admits a task if its router is right about the replica, and one change of files at a time.

    Between two tasks of a router the replica has nothing to do for as long as the end of the first
    and the second are under way: meanwhile no other router has it load, for so long as pays.

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
        self._followed = set[str]()
        """Routers at which tasks waited for the same files when they sent one last."""
        self._kept_seconds = 0.0
        self._kept_until = 0.0

    def admit(self, request: RoutingRequest) -> Refusal | None:
        """Let a task in until `leave`, or refuse it.

        What has the files of the task may be sent whenever it is; a change of them is granted
        to the first who asks for it while nothing is inside or follows, and to whose turn it is.
        """
        self._routers[request.router] = self._clock()
        files = self._files()
        if not files.issuperset(request.need.files):
            runs = self._runs or int(self._is_kept(files, request.router))
            if request.claim is Claim.HAS or (request.claim is Claim.IDLE and runs):
                return Refusal(self._replica, tuple(sorted(files)), self._changes, runs)
            files = frozenset(request.need.files)
            self._followed.clear()
        self._expected = files
        self._runs += 1
        self._kept_seconds = min(_KEPT_SHARE * request.need.load, _KEPT_SECONDS)
        self._followed.discard(request.router)
        if request.is_followed:
            self._followed.add(request.router)
        return None

    def leave(self) -> None:
        """Note that a task has ended that was admitted."""
        self._runs -= 1
        self._kept_until = self._clock() + self._kept_seconds

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

    def _is_kept(self, files: frozenset[str], router: str) -> bool:
        """Tell whether tasks of other routers than this one are about to follow."""
        follows = files == self._expected and self._followed - {router}
        return bool(follows) and self._clock() < self._kept_until

    def _files(self) -> frozenset[str]:
        files = self._expected if self._runs else frozenset(self._held())
        if files != self._told:
            self._told = files
            self._changes += 1
        return files
