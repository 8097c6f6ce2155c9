"""Slots: a count of what one API key holds at once, and all keys together, with limits."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager


class Full(Exception):
    """Request, stream or wait for which no slot is free."""

    def __init__(self, what: str, most: int, *, of_key: bool) -> None:
        whose = "with this API key" if of_key else "on this front"
        super().__init__(f"{most} {what} at once are the most {whose}")
        self.of_key = of_key
        """Flag: the API key has the most allowed; else all keys together have."""


class Slots:
    """Slots of one kind, in the memory of this process and for this replica alone."""

    def __init__(self, what: str, *, per_key: int, in_all: int) -> None:
        self.what = what
        """Noun in the plural for what is counted, such as ``streams``."""
        self.per_key = per_key
        self.in_all = in_all
        self._held: Counter[str] = Counter()

    @property
    def taken(self) -> int:
        """Slots that are held now."""
        return self._held.total()

    @contextmanager
    def held(self, key: str) -> Iterator[None]:
        """Hold a slot for the API key of this name.

        Raises:
            Full: no slot is free.
        """
        # Nothing awaits up to the count, so that no two requests take the last slot.
        if self._held[key] >= self.per_key:
            raise Full(self.what, self.per_key, of_key=True)
        if self.taken >= self.in_all:
            raise Full(self.what, self.in_all, of_key=False)
        self._held[key] += 1
        try:
            yield
        finally:
            self._held[key] -= 1
            if not self._held[key]:  # else a zero would stay of every key that ever was
                del self._held[key]
