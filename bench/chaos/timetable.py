"""Timetable of mishaps, drawn by a seed: what happens to AWS and to processes, and when.

A mishap is due when so many tasks have ended: the same seed gives the same run, however fast it is.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from random import Random

from bench.chaos.calls import SERVICES
from bench.chaos.rules import ProxyFault, Rule


class Mishap(StrEnum):
    """Kind of what happens."""

    LOST_REQUESTS = "lost-requests"
    LOST_ANSWERS = "lost-answers"
    DELAYS = "delays"
    CUT_ANSWERS = "cut-answers"
    GARBLED_ANSWERS = "garbled-answers"
    THROTTLING = "throttling"
    OUTAGE = "outage"
    """Services refuse connections."""
    KILL_REPLICA = "kill-replica"
    KILL_ALL_REPLICAS = "kill-all-replicas"
    KILL_INGEST = "kill-ingest"
    KILL_FRONT = "kill-front"
    KILL_PROXY = "kill-proxy"
    KILL_CONTROLLER = "kill-controller"
    KILL_NODE = "kill-node"
    REDEPLOY = "redeploy"


RULES = {
    Mishap.LOST_REQUESTS: Rule(fault=ProxyFault.REQUEST_LOST, rate=0.5),
    Mishap.LOST_ANSWERS: Rule(fault=ProxyFault.ANSWER_LOST, rate=0.5),
    Mishap.DELAYS: Rule(fault=ProxyFault.DELAYED, rate=0.5, seconds=2),
    Mishap.CUT_ANSWERS: Rule(fault=ProxyFault.CUT, rate=0.3),
    Mishap.GARBLED_ANSWERS: Rule(fault=ProxyFault.GARBLED, rate=0.3),
    Mishap.THROTTLING: Rule(fault=ProxyFault.THROTTLED, rate=0.5),
}
"""Rule of the proxy while such a mishap lasts; it is about one service, or all of them."""
VICTIMS = {
    Mishap.KILL_REPLICA: "pictures",
    Mishap.KILL_ALL_REPLICAS: "pictures",
    Mishap.KILL_INGEST: "Ingest",
    Mishap.KILL_FRONT: "Ingress",
}
"""Deployment of which such a mishap kills replicas."""
_SECONDS = (3, 5, 8)
_OUTAGE_SECONDS = (2, 4, 4, 10)
_UNTIL = 0.97
"""Share of the tasks after which no mishap begins, so that each meets some load."""


@dataclass(frozen=True, kw_only=True)
class Due:
    """Mishap that is due."""

    mishap: Mishap
    after: int
    """Tasks that have ended before."""
    seconds: float = 0
    """Seconds that it lasts; 0 for a moment."""
    services: tuple[str, ...] = ()
    """Services of AWS that it is about."""
    draw: float = 0
    """Number from 0 to 1 that chooses among processes."""


def timetable(kinds: Sequence[Mishap], tasks: int, every: int, seed: int) -> Sequence[Due]:
    """Draw what happens to a run of so many tasks: a mishap each ``every`` tasks.

    All kinds come up before one does again.
    """
    if not kinds:
        return ()
    random = Random(seed)
    dealt = _dealt(kinds, random)
    return [_due(next(dealt), after, random) for after in range(every, int(tasks * _UNTIL), every)]


def _dealt(kinds: Sequence[Mishap], random: Random) -> Iterator[Mishap]:
    while True:
        yield from random.sample(kinds, len(kinds))


def _due(mishap: Mishap, after: int, random: Random) -> Due:
    """Draw how long a mishap lasts, which services it is about and whom it meets.

    As many numbers are drawn for each kind, so that one kind less leaves others as they are.
    """
    services = random.choice([(name,) for name in SERVICES] + [SERVICES])
    seconds = random.choice(_OUTAGE_SECONDS if mishap is Mishap.OUTAGE else _SECONDS)
    draw = random.random()
    if mishap is Mishap.OUTAGE or mishap in RULES:
        return Due(mishap=mishap, after=after, seconds=seconds, services=services)
    return Due(mishap=mishap, after=after, draw=draw)
