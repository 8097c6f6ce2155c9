"""Runtime types: a module or package of this folder for each, found by its name."""

import pkgutil
from importlib import import_module
from types import ModuleType

from deployments.adapter import Adapter
from models.errors import SettingsError
from models.runtimes import RuntimeType, runtime_type
from models.task import Kind


def runtime_types() -> list[str]:
    """List the names of the types that there are."""
    names = (module.name for module in pkgutil.iter_modules(__path__))
    return sorted(name for name in names if not name.startswith("_"))


def adapter_class(type: str) -> type[Adapter]:  # noqa: A002 - the setting's name
    """Find the adapter of a runtime type.

    Raises:
        SettingsError: there is no such type, or its module does not define one adapter.
    """
    if type not in runtime_types():
        raise SettingsError(
            f"runtime type {type!r} not found; there are: {', '.join(runtime_types())}"
        )
    found = _adapters(f"{__name__}.{type}")
    if len(found) != 1:
        names = ", ".join(cls.__name__ for cls in found) or "none"
        raise SettingsError(f"runtime type {type!r} must define one Adapter, but defines: {names}")
    return found[0]


def kinds_of(type: str) -> frozenset[Kind]:  # noqa: A002
    """Find the kinds of task that a runtime type can do; imports adapters of third parties only.

    Raises:
        SettingsError: there is no such type, or its module does not define one adapter.
    """
    known = runtime_type(type)
    return known.kinds if known else adapter_class(type).kinds


def described(type: str) -> RuntimeType | None:  # noqa: A002
    """Find the description of a runtime type; None for a third party's that has none.

    Raises:
        SettingsError: there is no such type, or its module does not define one adapter.
    """
    return runtime_type(type) or adapter_class(type).described


def described_here(type: str) -> RuntimeType | None:  # noqa: A002
    """Find the description of a runtime type; None if there is none, or no such type."""
    try:
        return described(type)
    except SettingsError:
        return None


def _adapters(module: str) -> list[type[Adapter]]:
    """List adapters that the module or package itself defines, without those that it imports."""
    members = vars(_imported(module)).values()
    adapters = [cls for cls in members if isinstance(cls, type) and issubclass(cls, Adapter)]
    # With dots, so that a module `fake_gpu` is not taken for a part of `fake`.
    found = [cls for cls in adapters if f"{cls.__module__}.".startswith(f"{module}.")]
    return list(dict.fromkeys(found))


def _imported(module: str) -> ModuleType:
    try:
        return import_module(module)
    except ImportError as exc:
        raise SettingsError(f"{module} cannot be imported: {exc}; is its extra installed?") from exc
