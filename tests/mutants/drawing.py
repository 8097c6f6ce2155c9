"""Mistakes in how a task's weights are read, and in what an adapter's errors lead to."""

from tests.mutants.mutant import Mutant

_ERRORS = "tests/deployments/test_adapter_errors.py"

MUTANTS = (
    Mutant(
        mistake="an error that an adapter did not foresee is taken for a lost runtime",
        file="deployments/replica.py",
        old=" as limit, known_errors(task):\n",
        new=" as limit:\n",
        tests=_ERRORS,
    ),
    Mutant(
        mistake="a lost connection ends the task",
        file="deployments/adapter_errors.py",
        old="        if isinstance(exc, _CONNECTION):\n",
        new="        if isinstance(exc, MemoryError):\n",
        tests=_ERRORS,
    ),
    Mutant(
        mistake="a device's fault is not seen behind the error that a library makes of it",
        file="deployments/device_fault.py",
        old="        cause = cause.__cause__ or cause.__context__\n",
        new="        cause = None\n",
        tests=_ERRORS,
    ),
)
