"""Contents of tasks that the configured runtimes accept."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from models.runtimes.content import Fault, JsonSchema
from models.runtimes.type import RuntimeType
from models.settings.base import Group
from models.settings.groups import Runtime
from models.task import Kind

Describe = Callable[[str], RuntimeType | None]
"""Function that finds the description of a runtime type; None where there is none."""


class Contents:
    """Judge of contents under the options of each configured runtime.

    A runtime whose type has no description takes any content.
    """

    def __init__(self, types: Mapping[str, tuple[RuntimeType, Group]]) -> None:
        self._types = types
        """Types and options of the runtimes, by the runtime's name."""
        self._schemas: dict[str, Mapping[Kind, JsonSchema]] = {}
        """Schemas that were made, by the runtime's name: making them takes milliseconds."""

    @classmethod
    def of(cls, runtimes: Iterable[Runtime], describe: Describe) -> "Contents":
        """Read the options of runtimes.

        Raises:
            SettingsError: an option is wrong.
        """
        described = ((runtime, describe(runtime.type)) for runtime in runtimes)
        return cls(
            {runtime.name: (type_, type_.read(runtime)) for runtime, type_ in described if type_}
        )

    def faults(self, runtime: str, kind: str, content: Any) -> Sequence[Fault]:
        """Find everything that is wrong in the content of a task for a runtime."""
        if (found := self._types.get(runtime)) is None:
            return ()
        type_, options = found
        return type_.faults(kind, content, options)

    def schemas(self, runtime: str) -> Mapping[Kind, JsonSchema]:
        """Describe the content of each kind that a runtime can do; empty if it is not judged."""
        if (found := self._types.get(runtime)) is None:
            return {}
        if runtime not in self._schemas:
            type_, options = found
            self._schemas[runtime] = type_.schemas(options)
        return self._schemas[runtime]
