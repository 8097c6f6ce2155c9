"""Number of made-up examples: few and always the same, or as many new ones as are asked for."""

import os
import re

from hypothesis import HealthCheck, settings

MANY = int(os.environ.get("FUZZ", "0"))
"""Examples of each test in `make fuzz`; 0 in `make test`."""

_OURS = re.compile(r"Value error,| object at 0x|Traceback|\.py\b|Errno")


def check_words(text: str) -> None:
    """See to it that an answer has no words of Python's."""
    assert not (found := _OURS.search(text)), found


def bounds(few: int, *, steps: int = 10, times: int = 1) -> settings:
    """Settings of a test that makes up this many examples in `make test`.

    A test of short examples makes up some ``times`` as many as others in `make fuzz`.
    """
    return settings(
        max_examples=MANY * times or few,
        stateful_step_count=steps,
        derandomize=not MANY,
        deadline=None,
        print_blob=bool(MANY),
        suppress_health_check=list(HealthCheck),
    )
