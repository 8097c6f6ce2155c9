"""Mistakes of the choice which task goes to which replica, and of the simulator that runs it."""

from tests.mutants.mutant import Mutant

_PENDING = "tests/deployments/routing/test_pending.py"
_ROUTER = "tests/bench/test_router.py"

MUTANTS = (
    Mutant(
        mistake="a task that has waited for long is passed over for ever",
        file="deployments/routing/pending.py",
        old="head.due <= now)",
        new="False)",
        tests=_PENDING,
    ),
    Mutant(
        mistake="a replica that a due task needs is filled with what is asked for more",
        file="deployments/routing/candidates.py",
        old="            self._kept.add(kept)\n",
        new="            pass\n",
        tests=_PENDING,
    ),
    Mutant(
        mistake="a replica that idles loads for a single task what another has",
        file="deployments/routing/pending.py",
        old="backlog / holders >= cost",
        new="True",
        tests=_PENDING,
    ),
    Mutant(
        mistake="cold checkpoints take the replicas of hot ones",
        file="deployments/routing/candidates.py",
        old="(1 + often)",
        new="1",
        tests=_PENDING,
    ),
    Mutant(
        mistake="routers that share the replicas load the same files on different ones",
        file="deployments/routing/candidates.py",
        old="crc32(repr((candidate.name, files)).encode())",
        new="0",
        tests=_PENDING,
    ),
    Mutant(
        mistake="replicas that work are hidden from the simulated choice",
        file="bench/simulation/router.py",
        old="*((seat, 1) for seat in busy)]",
        new="]",
        tests=_ROUTER,
    ),
)
