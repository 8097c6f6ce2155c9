"""Configured runtimes as the HTTP APIs look them up: by name, checkpoint or kind of task."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from models.settings.groups import Runtime
from models.task import Kind

_NONE: frozenset[Kind] = frozenset()


@dataclass(frozen=True, kw_only=True)
class Runtimes:
    """Lookup of the configured runtimes, and of the kinds of task that each can do."""

    configured: Sequence[Runtime]
    """Runtimes in the order of the settings."""
    kinds: Callable[[str], frozenset[Kind]]
    """Function from a runtime's canonical name to the kinds of task that it can do."""

    @classmethod
    def of(
        cls, configured: Sequence[Runtime], kinds_of_type: Callable[[str], frozenset[Kind]]
    ) -> "Runtimes":
        """Look the kinds of a runtime up by its type; an unknown runtime can do nothing."""
        types = {runtime.name: runtime.type for runtime in configured}
        return cls(
            configured=configured,
            kinds=lambda name: kinds_of_type(types[name]) if name in types else _NONE,
        )

    @property
    def names(self) -> Sequence[str]:
        """Canonical names of all runtimes, in the order of the settings."""
        return [runtime.name for runtime in self.configured]

    def named(self, name: str) -> Runtime | None:
        """Find the runtime of a name in any case."""
        return next((each for each in self.configured if each.name == name.lower()), None)

    def of_checkpoint(self, checkpoint: str) -> Runtime | None:
        """Find the runtime with this ``modelFilename``, else the first with ``dynamicModel``."""
        own = (each for each in self.configured if each.model_filename == checkpoint)
        dynamic = (each for each in self.configured if each.dynamic_model)
        return next(own, None) or next(dynamic, None)

    def able(self, kind: str) -> Sequence[str]:
        """Names of the runtimes that can do a kind of task."""
        return [name for name in self.names if kind in self.kinds(name)]
