"""Settings of an installation: their groups, where they are read from, and how they are checked."""

from models.settings.groups import Runtime
from models.settings.settings import Settings

__all__ = ["Runtime", "Settings"]
