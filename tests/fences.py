"""Fences that tests give."""

from models.fence import Fence

FAR = 4e9
"""Time in the year 2096, in seconds since 1970."""


def fence(name: str = "mine", until: float = FAR) -> Fence:
    """Make the fence of a delivery with this name."""
    return Fence(token=name, until=until)


MINE = fence()
OTHER = fence("another's")
DEAD = fence("a dead one's", until=0)
