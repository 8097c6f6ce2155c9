"""Watch a fleet: what waits, what is wanted, what runs, which nodes there are, who was told."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from bench.fake_cluster.platform import Fleet

_SAMPLE_SECONDS = 0.2
_POLL_SECONDS = 0.05
_STOP_SECONDS = 30.0


@dataclass(frozen=True, kw_only=True)
class Sample:
    """State of a runtime's fleet at one moment."""

    at: float
    """Seconds since the epoch."""
    backlog: int
    """Tasks that were published and of which nobody was told an end."""
    wanted: int
    """Target that Serve's controller has."""
    running: int
    starting: int
    leaving: int
    spot: int
    """Nodes by kind of capacity."""
    on_demand: int

    @property
    def nodes(self) -> int:
        return self.spot + self.on_demand

    @property
    def is_at_zero(self) -> bool:
        """Flag: no replica is wanted, and none is there."""
        return not (self.wanted or self.running or self.starting or self.leaving)

    @property
    def is_empty(self) -> bool:
        """Flag: no replica is wanted, and neither one nor a node is there."""
        return self.is_at_zero and not self.nodes


@dataclass(frozen=True)
class Told:
    """Notification of a task's end."""

    task: str
    status: str
    at: float
    """Moment it was received, in seconds since the epoch."""


class Observer:
    """Observer of one runtime, which also publishes its tasks, to know when each was visible."""

    def __init__(self, fleet: Fleet, runtime: str) -> None:
        self.fleet = fleet
        self.runtime = runtime
        self.spot, self.on_demand = f"{runtime}-spot", f"{runtime}-on-demand"
        self.groups = frozenset({self.spot, self.on_demand})
        self.published: dict[str, float] = {}
        """Moment at which each task was visible in the queue, in seconds since the epoch."""
        self.told: list[Told] = []
        self.samples: list[Sample] = []
        self._stop = threading.Event()
        self._failed: Exception | None = None
        loops = (self._watch, self._listen)
        self._threads = [threading.Thread(target=self._run, args=(loop,)) for loop in loops]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(_STOP_SECONDS)

    def publish(self, count: int, name: str, **content: Any) -> None:
        """Publish so many tasks, as any SNS client may."""
        for number in range(count):
            task = f"{name}-{number}"
            metadata = {
                "id": task,
                "runtime": self.runtime,
                "tasktype": "text-to-image",
                "prefix": "scale",
            }
            given = {"prompt": task, "seed": number} | content
            self.fleet.platform.publish(
                {"metadata": metadata, "content": given}, runtime=self.runtime
            )
            self.published[task] = time.time()

    def until(self, what: str, done: Callable[[Sample], Any], seconds: float) -> Sample:
        """Wait for a sample of which this holds, and return it.

        Raises:
            RuntimeError: none came in time, or the watching has failed.
        """
        end = time.monotonic() + seconds
        seen = len(self.samples)
        while True:
            if self._failed is not None:
                raise RuntimeError("the watching has failed") from self._failed
            for sample in self.samples[seen:]:
                seen += 1
                if done(sample):
                    return sample
            if time.monotonic() > end:
                last = self.samples[-1] if self.samples else None
                raise RuntimeError(f"{what}: not within {seconds:g} s; {last}")
            time.sleep(_POLL_SECONDS)

    def attempts(self, task: str) -> int:
        """Return how often a task was started."""
        attempt: int = self.fleet.get(f"/v1/tasks/{task}")["attempt"]
        return attempt

    def replicas(self) -> Sequence[Mapping[str, Any]]:
        """Return what Serve tells of each replica: its state and its node among others."""
        found: Sequence[Mapping[str, Any]] = self._deployment()["replicas"]
        return found

    def _deployment(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self.fleet.cluster.serving()["atelier"]["deployments"][
            self.runtime
        ]
        return found

    def _sample(self) -> Sample:
        deployment = self._deployment()
        states = [one["state"] for one in deployment["replicas"]]
        nodes = self.fleet.cluster.nodes().values()
        return Sample(
            at=time.time(),
            backlog=len(self.published) - len({one.task for one in self.told}),
            wanted=deployment["target_num_replicas"],
            running=states.count("RUNNING"),
            starting=states.count("STARTING"),
            leaving=states.count("STOPPING"),
            spot=sum(group == self.spot for group in nodes),
            on_demand=sum(group == self.on_demand for group in nodes),
        )

    def _watch(self) -> None:
        while not self._stop.wait(_SAMPLE_SECONDS):
            self.samples.append(self._sample())

    def _listen(self) -> None:
        while not self._stop.is_set():
            for told in self.fleet.platform.notifications():
                one = Told(told["id"], told["status"], time.time())
                self.told.append(one)

    def _run(self, loop: Callable[[], None]) -> None:
        try:
            loop()
        except Exception as exc:  # noqa: BLE001 - whoever waits is told
            self._failed = exc
