"""Checks of a configuration before anything is started, the same for every start.

`Settings.read` has refused wrong keys and values; here the runtimes are checked, and with a
machine also what is on it. What only a start can judge is listed as unchecked. Values are not
quoted, for a secret may stand in the wrong place.
"""

import os
import re
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from pkgutil import iter_modules

from models.capacity import bounded_scaling, scaling_here
from models.checkpoints import STABLE_DIFFUSION, place_of
from models.errors import SettingsError
from models.machine import Machine
from models.runtimes import TYPES, runtime_type
from models.runtimes.backend import ServedOptions
from models.runtimes.content import nearest
from models.runtimes.contents import Describe
from models.runtimes.type import RuntimeType
from models.settings import Settings
from models.settings.api_keys import keys_in
from models.settings.base import Group, reads_like_a_name
from models.settings.groups import Runtime
from models.settings.unreachable import unreachable_faults
from models.task import Kind

_SWITCH = re.compile(r"-[bBdEiIOPqsSuvx]+")
"""Option of Python that takes no value."""
_REPLICAS_A_CORE = 8
"""Most replicas that share a core: with more a machine is busy with their starts for minutes."""
_ADAPTERS = "deployments"
"""Package whose folder ``runtimes`` has a module for each type."""


@dataclass(frozen=True)
class CheckResult:
    """Result of a check: what is wrong, and what could not be checked."""

    wrong: tuple[str, ...] = ()
    """Faults, each beginning with the key that is to be changed."""
    unchecked: tuple[str, ...] = ()
    """Remarks, each beginning with the key that only a start will judge."""

    def refuse(self) -> None:
        """Refuse a configuration that cannot work.

        Raises:
            SettingsError: something is wrong; names every fault, a line each.
        """
        if self.wrong:
            raise SettingsError("\n".join(self.wrong))


def check(
    settings: Settings, machine: Machine | None = None, describe: Describe = runtime_type
) -> CheckResult:
    """Check the runtimes of a configuration.

    ``machine``: where everything is to run; None if that is elsewhere, on AWS or a cluster,
    whose folders, programs and GPUs cannot be seen from here. ``describe`` finds runtime types.
    """
    wrong: list[str] = []
    unchecked: list[str] = []
    look = partial(_runtime, settings, machine, describe)
    for runtime in settings.models_runtime:
        found = look(runtime)
        wrong += found.wrong
        unchecked += found.unchecked
    if machine is not None:
        wrong += [*_folder(settings), *_log_file(settings), *_keys_file(settings)]
        wrong += room_faults(settings, machine)
    elif not settings.aws.is_local:
        wrong += unreachable_faults(settings)
    return CheckResult(tuple(wrong), tuple(unchecked))


def _log_file(settings: Settings) -> Iterator[str]:
    path = settings.log_file.expanduser() if settings.log_file else None
    if path and not path.parent.is_dir():
        yield f"logFile: there is no such folder: {path.parent}"
    elif path and path.is_dir():
        yield f"logFile: {path} is a folder; a file is needed"


def _keys_file(settings: Settings) -> Iterator[str]:
    """Find what is wrong with the file of API keys, if there is one."""
    if settings.api_keys_file is None:
        return
    try:
        keys_in(settings.api_keys_file)
    except SettingsError as exc:
        yield f"apiKeysFile: {exc}"


def _runtime(
    settings: Settings, machine: Machine | None, describe: Describe, runtime: Runtime
) -> CheckResult:
    path = f"modelsRuntime[{runtime.name}]"
    type_ = describe(runtime.type)
    if type_ is None:
        return _undescribed(path, runtime, machine)
    if machine is None:
        completed = type_.in_cluster(runtime.options)
        runtime = runtime.model_copy(update={"options": completed})
    try:
        options = type_.read(runtime)
    except SettingsError as exc:
        return CheckResult((str(exc),))
    wrong = [*_warm_up(f"{path}.options", type_, options)]
    if machine is not None:
        folder = settings.checkpoints.expanduser() if settings.checkpoints else None
        there = folder if folder and folder.is_dir() else None
        replicas = scaling_here(runtime, machine.gpus).max_replicas
        wrong += [*_packages(path, type_), *_backend(f"{path}.options.backend", replicas, options)]
        wrong += type_.lacks(runtime, options, there) if there or not folder else ()
    return CheckResult(tuple(wrong), tuple(_left_to_servers(path, runtime, options)))


def _left_to_servers(path: str, runtime: Runtime, options: Group) -> Iterator[str]:
    if isinstance(options, ServedOptions) and runtime.model_filename is not None:
        yield f"{path}.modelFilename: its server knows the checkpoints, once it has started"


def _undescribed(path: str, runtime: Runtime, machine: Machine | None) -> CheckResult:
    """Check a third party's type: its module must be here, or in an image of its own."""
    elsewhere = machine is None and runtime.pod.image is not None
    if runtime.type in _modules() or elsewhere:
        return CheckResult(unchecked=(f"{path}.options: the adapter of its type judges them",))
    known = sorted({*TYPES, *_modules()})
    near = nearest(runtime.type, known)
    hint = f"did you mean {near!r}? " if near else ""
    return CheckResult((f"{path}.type: unknown type; {hint}there is: {', '.join(known)}",))


def _modules() -> frozenset[str]:
    """List the types that have a module, importable here or not."""
    # Looked for and not imported: an adapter imports torch or whatever its type needs.
    package = find_spec(_ADAPTERS)
    folders = [] if package is None else package.submodule_search_locations or []
    found = iter_modules([str(Path(folder) / "runtimes") for folder in folders])
    return frozenset(module.name for module in found if not module.name.startswith("_"))


def _warm_up(path: str, type_: RuntimeType, options: Group) -> Iterator[str]:
    content = options.warm_up if isinstance(options, ServedOptions) else None
    if content is not None:
        kind = Kind.TEXT_TO_IMAGE if Kind.TEXT_TO_IMAGE in type_.kinds else Kind.PIPELINE
        for fault in type_.faults(kind, dict(content), options):
            # A fault of the content as a whole has no field.
            yield f"{path}.warmUp.{fault.field}: {fault.message}".replace(".:", ":")


def _packages(path: str, type_: RuntimeType) -> Iterator[str]:
    lacking = [name for name in type_.needs if find_spec(name) is None]
    if lacking:
        yield (
            f"{path}.type: {type_.name} needs {', '.join(lacking)}, not installed here;"
            f" install atelier[{type_.name}]"
        )


def _backend(path: str, replicas: int, options: Group) -> Iterator[str]:
    """Find what keeps a server of the replica's own from being started."""
    if not isinstance(options, ServedOptions) or not options.backend.command:
        return
    backend = options.backend
    folder = backend.folder.expanduser() if backend.folder else Path()
    if not folder.is_dir():
        yield f"{path}.folder: there is no such folder{place_of(folder)}"
    elif not _is_program(backend.command[0], folder):
        yield f"{path}.command: there is no program of the name that comes first"
    elif (script := _script(backend.command)) and not (folder / script).is_file():
        yield f"{path}.command: the script {script} is not in {folder.absolute()}"
    if backend.port and replicas > 1:
        yield f"{path}.port: {replicas} replicas cannot share one; 0 takes free ones"


def _script(command: tuple[str, ...]) -> str | None:
    """Find the file of Python that an interpreter is given first, options of its own aside."""
    program, *words = command
    if not Path(program).name.startswith("python"):
        return None
    word = next((word for word in words if not _SWITCH.fullmatch(word)), "")
    return word if word.endswith(".py") else None


def _is_program(name: str, folder: Path) -> bool:
    # As at its start: without a slash PATH is searched, with one the path is seen from the folder.
    if os.sep not in name:
        return shutil.which(name) is not None
    return os.access(folder / name, os.X_OK)


def _folder(settings: Settings) -> Iterator[str]:
    folder = settings.checkpoints.expanduser() if settings.checkpoints else None
    if folder is None or folder.is_dir():
        return
    parent = folder.parent
    beside = [path.name for path in parent.iterdir() if path.is_dir()] if parent.is_dir() else []
    near = nearest(folder.name, sorted(beside))
    hint = f"; did you mean {parent / near}?" if near else ""
    what = "this is a file" if folder.exists() else f"no such folder{place_of(folder)}"
    remedy = "" if near or folder.exists() else f"; make it, with {STABLE_DIFFUSION}/ in it"
    yield f"checkpoints: {what}{hint or remedy}"


def room_faults(settings: Settings, machine: Machine) -> Iterator[str]:
    """Say what replicas ask for that a machine has not: GPUs, cores, Ray's own resources."""
    yield from gpu_faults(settings, machine)
    if machine.cores is not None:
        yield from _core_faults(settings.models_runtime, machine.cores, machine.gpus)
        if (most := settings.ingest.most) > _REPLICAS_A_CORE * machine.cores:
            yield f"ingest.{settings.ingest.bound}: {_too_many(most, machine.cores)}"
    runtimes = settings.models_runtime
    asking = {f"modelsRuntime[{runtime.name}]": runtime.resources for runtime in runtimes}
    asking |= {"ingress": settings.ingress.resources, "ingest": settings.ingest.resources}
    for path, resources in asking.items():
        for name, amount in resources.items():
            if amount > 0 and machine.lacks_resource(name):
                shown = f".{name}" if reads_like_a_name(name) else ""
                yield f"{path}.resources{shown}: no node of the Ray here has it; leave it out"


def _core_faults(runtimes: Iterable[Runtime], cores: int, gpus: int | None) -> Iterator[str]:
    most = _REPLICAS_A_CORE * cores
    for runtime in runtimes:
        path = f"modelsRuntime[{runtime.name}]"
        if runtime.cpus > cores:
            yield f"{path}.cpus: {runtime.cpus:g} are wanted and {cores} are here"
        elif (replicas := scaling_here(runtime, gpus).max_replicas) * max(1, runtime.cpus) > most:
            key = "replicas" if runtime.replicas else "scaling.maxReplicas"
            allowed = int(most / max(1, runtime.cpus))
            yield f"{path}.{key}: {_too_many(replicas, cores, allowed)}"


def _too_many(replicas: int, cores: int, allowed: int | None = None) -> str:
    most = _REPLICAS_A_CORE * cores if allowed is None else allowed
    return f"{replicas} are too many for {cores} cores, {most} at most here"


def gpu_faults(settings: Settings, machine: Machine) -> Iterator[str]:
    """Say that a machine has fewer GPUs than the runtimes ask for at least.

    More replicas come only as far as there are GPUs that no other runtime holds.
    """
    runtimes = settings.models_runtime
    least = sum(one.gpus * bounded_scaling(one, on_aws=False).min_replicas for one in runtimes)
    wanted = max(least, *(runtime.gpus for runtime in runtimes))
    if machine.gpus is not None and wanted > machine.gpus:
        yield (
            f"modelsRuntime[].gpus: {wanted:g} GPUs are wanted and {machine.gpus:g} are here;"
            " gpus: 0 lets a replica compute on the CPU"
        )
