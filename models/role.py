"""Rights of the holder of an API key, from least to most."""

from enum import StrEnum


class Role(StrEnum):
    """The rights of an API key; each role has those of the one before it."""

    VIEWER = "viewer"
    """Reads the tasks of its own name."""
    ARTIST = "artist"
    """Submits and cancels tasks of its own name, too."""
    OPERATOR = "operator"
    """Reads and cancels everybody's tasks, too, and those that came by SNS."""

    def has(self, other: "Role") -> bool:
        """Whether this role may do what the other may."""
        ranks = tuple(Role)
        return ranks.index(self) >= ranks.index(other)
