"""A clock that tests set."""


class Clock:
    """Stands still at ``now``, in seconds, until it is told to go on."""

    def __init__(self, now: float = 1000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now
