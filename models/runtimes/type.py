"""Description of a runtime type, known without its adapter."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from models.runtimes.content import Content, Fault, JsonSchema, inlined
from models.settings.base import Group
from models.settings.groups import Runtime
from models.task import Kind

Lacks = Callable[[Runtime, Group, Path | None], Iterator[str]]
"""Function of a runtime, its options and the folder of weights (None if there is none) that names
what is missing here, each line with its key."""


def nothing_lacks(runtime: Runtime, options: Group, folder: Path | None) -> Iterator[str]:
    """Say nothing: for types that need no more than they are configured with."""
    del runtime, options, folder
    yield from ()


@dataclass(frozen=True, kw_only=True)
class RuntimeType:
    """Type of runtimes, such as ``diffusers``: what it can do and how it is asked."""

    name: str
    """Module name of its adapter under ``deployments/runtimes``."""
    kinds: frozenset[Kind]
    """Kinds of task that it can do."""
    options: type[Group]
    """Model of ``modelsRuntime[].options``."""
    contents: Mapping[Kind, Content] = field(default_factory=dict)
    """Rules for the content, by kind of task; the content of other kinds is not judged."""
    image_server: Mapping[str, Any] | None = None
    """Value of ``backend`` for the type's image in a cluster, if a runtime configures none."""
    needs: tuple[str, ...] = ()
    """Packages that its adapter imports beyond what atelier itself needs."""
    lacks: Lacks = nothing_lacks
    """Function that says what the machine at hand lacks for a configured runtime."""

    def read(self, runtime: Runtime) -> Group:
        """Read the options of a configured runtime.

        Raises:
            SettingsError: naming each wrong option, and what is allowed there.
        """
        return self.options.read(runtime.options, under=f"modelsRuntime[{runtime.name}].options")

    def in_cluster(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """Complete the options of a runtime whose replicas run in the image of its type."""
        server = {} if self.image_server is None else {"backend": dict(self.image_server)}
        return {**server, **options}

    def usual_schemas(self) -> Mapping[Kind, JsonSchema]:
        """Describe the content of each kind under the options a type comes with."""
        given = Runtime(name=self.name, type=self.name, options=self.in_cluster({}))
        return self.schemas(self.read(given))

    def faults(self, kind: str, content: Any, options: Group) -> Sequence[Fault]:
        """Find everything that is wrong in the content of a task of this kind."""
        judge = next((judge for known, judge in self.contents.items() if known == kind), None)
        return judge.faults(content, options) if judge else ()

    def schemas(self, options: Group) -> Mapping[Kind, JsonSchema]:
        """Describe the content of each kind; an empty schema where it is not judged."""
        return {
            kind: inlined(self.contents[kind].schema(options)) if kind in self.contents else {}
            for kind in sorted(self.kinds)
        }
