"""What is known of a runtime type without its adapter."""

from dataclasses import dataclass

from models.part import Part
from models.task import Kind


@dataclass(frozen=True, kw_only=True)
class RuntimeType:
    """A kind of runtime, such as ``diffusers``: what it can do and how it is set up."""

    name: str
    """Module name of its adapter under ``deployments/runtimes``."""
    kinds: frozenset[Kind]
    """The kinds of task that it can do."""
    options: type[Part]
    """The model of ``modelsRuntime[].options``."""
