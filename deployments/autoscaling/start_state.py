"""State of a runtime's starting replicas, judged by what Serve and Ray's autoscaler tell."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from models.fleet import StartPhase

_RECENT_SECONDS = 600.0
_LONG_SECONDS = 180.0
_LONGEST = 300
_THERE = frozenset({"STARTING", "UPDATING", "RECOVERING", "RUNNING", "PENDING_MIGRATION"})
"""States in Serve's words of a replica that starts or runs, of this version or one before."""


@dataclass(frozen=True, kw_only=True)
class StartState:
    """State of the replicas that were wanted and do not run yet."""

    phase: StartPhase | None = None
    """Phase of the start that is furthest; None while none is under way."""
    obstacle: str | None = None
    """Reason why no node comes, in words; None where nothing is known to be in its way."""
    failure: str | None = None
    """Reason why starts failed, in words; None where too few have in a row for Serve to say so."""
    given_up: bool = False
    """Flag: Serve makes no more tries, since all starts of this version failed, and none of a
    version before is there."""
    settled: bool = True
    """Flag: no replica starts, or was told to stop before it had started."""


@dataclass(frozen=True, kw_only=True)
class Nodes:
    """Nodes that come, and those that do not, as Ray's autoscaler reports them."""

    waits: bool
    """Flag: Ray holds a replica of the runtime, for which no node has room."""
    autoscaled: bool = True
    """Flag: an autoscaler reports, which could bring nodes."""
    exhausted: bool = False
    """Flag: the autoscaler may start no further node that the replica fits on."""
    requested: Sequence[float] = ()
    """Times at which nodes were asked for that have not come, in seconds since 1970."""
    failures: Mapping[float, str] = field(default_factory=dict)
    """Reasons why nodes were not started, by the time of that."""


def is_placed(replica: Mapping[str, Any]) -> bool:
    """Tell whether a replica, as Serve's `ReplicaDetails` has it, is on a node."""
    return replica.get("node_id") is not None


def to_drop(replicas: Iterable[Mapping[str, Any]], waited: set[str]) -> tuple[set[str], set[str]]:
    """Name the actors of replicas that are to stop and were never on a node, and all that wait.

    ``waited``: names of those that waited for a node at the look before. Only they are dropped:
    after a restart of its controller Serve does not know at once where a replica is.
    """
    unplaced = {one["actor_name"]: one["state"] for one in replicas if not is_placed(one)}
    starting = {name for name, state in unplaced.items() if state == "STARTING"}
    waiting = starting | (waited & unplaced.keys())
    return {name for name in waited if unplaced.get(name) == "STOPPING"}, waiting


def judged(deployment: Mapping[str, Any], nodes: Nodes, now: float) -> StartState:
    """Judge a deployment, as Serve's `DeploymentDetails` has it, and the nodes it may wait for.

    ``now``: seconds since 1970.
    """
    starting = [one for one in deployment["replicas"] if one["state"] == "STARTING"]
    stopping = [one for one in deployment["replicas"] if one["state"] == "STOPPING"]
    phase, obstacle = None, None
    if starting and nodes.waits and not any(map(is_placed, starting)):
        phase = StartPhase.NODE
        obstacle = next(_obstacles(nodes, deployment["required_resources"], now), None)
    elif starting:
        phase = StartPhase.REPLICA
    failed = deployment["status_trigger"] == "REPLICA_STARTUP_FAILED"
    return StartState(
        phase=phase,
        obstacle=obstacle,
        failure=f"a replica did not start: {last_line(deployment['message'])}" if failed else None,
        # Replicas of the version before outlive an update that failed; they take tasks.
        given_up=failed and not any(one["state"] in _THERE for one in deployment["replicas"]),
        settled=not starting and all(map(is_placed, stopping)),
    )


def last_line(message: str) -> str:
    """Return the last line of a message, where a traceback says what happened."""
    lines = message.strip().splitlines() or [""]
    return lines[-1].strip()[:_LONGEST]


def _obstacles(nodes: Nodes, needed: Mapping[str, float], now: float) -> Iterator[str]:
    """Find what keeps a node from coming, the clearest first."""
    if not nodes.autoscaled:
        wanted = ", ".join(f"{amount:g} {name}" for name, amount in needed.items() if amount)
        yield f"no node has room for it: it needs {wanted}"
    if nodes.exhausted and not nodes.requested:
        yield "limit reached: no further node may be started for it"
    recent = [at for at in nodes.failures if now - at < _RECENT_SECONDS]
    if recent:
        yield f"a node was not started: {last_line(nodes.failures[max(recent)])}"
    waited = now - min(nodes.requested, default=now)
    if waited >= _LONG_SECONDS:
        yield f"a node was asked for {waited / 60:.0f} minutes ago: there may be no capacity"
