"""Roles: rights of the holders of API keys, from least to most."""

from enum import StrEnum


class Role(StrEnum):
    """Role of an API key; it has the rights of the one before it, too."""

    VIEWER = "viewer"
    """Right to read the tasks of its own name."""
    ARTIST = "artist"
    """Right to submit and cancel tasks of its own name, too."""
    OPERATOR = "operator"
    """Right to read and cancel everybody's tasks, too, and those that came by SNS, and to work with
    dead letters."""

    def has(self, other: "Role") -> bool:
        """Tell whether this role may do what the other may."""
        ranks = tuple(Role)
        return ranks.index(self) >= ranks.index(other)
