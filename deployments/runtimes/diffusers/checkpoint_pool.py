"""Pool of the checkpoints in memory, and the way from a task to its steps; imports torch.

Blocking throughout, and used by one thread only; imported there, for it takes seconds.
"""

import os

os.environ["HF_HUB_OFFLINE"] = "1"  # before anything imports huggingface_hub

import logging
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import torch

from deployments.adapter import RuntimeSpec
from deployments.device_fault import DeviceFault, fault_behind
from deployments.runtimes.diffusers import requests
from deployments.runtimes.diffusers.extras import Extras
from deployments.runtimes.diffusers.generation import Steps, Tools
from deployments.runtimes.diffusers.pipeline import Pipeline, open_pipeline
from deployments.runtimes.diffusers.preview import Previews
from deployments.runtimes.diffusers.upscaling import Upscalers
from models.checkpoints import Checkpoints, Shelf
from models.errors import AtelierError, RuntimeUnavailable, SettingsError, TaskFailed
from models.runtimes.diffusers import Options
from models.runtimes.diffusers.generation_requests import KEPT_ALONE
from models.task import Kind, Task

log = logging.getLogger("ray.serve.atelier.diffusers")


class CheckpointPool:
    """Holds up to ``options.keep`` checkpoints in memory, the current one last.

    Raises `SettingsError` if there is no folder of weights, or no GPU where one is demanded.
    """

    def __init__(self, spec: RuntimeSpec, options: Options) -> None:
        if spec.checkpoints is None:
            raise SettingsError(f"runtime {spec.name}: there is no folder of checkpoints")
        self._spec, self._options = spec, options
        self._checkpoints = Checkpoints(spec.checkpoints, pickles=options.allow_pickle)
        self._device = _device(spec.name, options)
        self._loaded: OrderedDict[Path, Pipeline] = OrderedDict()
        self._previews = Previews(options.preview_every, options.preview_side)
        self.broken = False
        """`True` once the device failed: CUDA does not come back in the same process."""
        if options.threads:
            torch.set_num_threads(options.threads)
        _silence_libraries()

    @property
    def current(self) -> Pipeline:
        """Checkpoint that the next task uses."""
        return next(reversed(self._loaded.values()))

    @property
    def name(self) -> str:
        """Name of the current checkpoint."""
        return self._name(next(reversed(self._loaded)))

    def load(self, requested: str | None) -> None:
        """Make a checkpoint the current one; None means the runtime's own. Takes seconds.

        Raises:
            TaskFailed: there is none of this name, or the runtime is bound to another.
            RuntimeUnavailable: the device failed, or its memory is full.
        """
        path = self._path(requested)
        if path not in self._loaded:
            # First, as memory may not hold both.
            self._make_room()
            with self._faults():
                self._loaded[path] = open_pipeline(path, self._name(path), self._device)
            extra = {"runtime": self._spec.name, "checkpoint": self._name(path)}
            log.info("checkpoint_loaded", extra=extra)
        self._loaded.move_to_end(path)

    def steps(self, task: Task, inputs: Mapping[str, bytes]) -> Steps:
        """Run the task, step by step.

        Raises:
            TaskFailed: the task is wrong.
            RuntimeUnavailable: the device failed, or its memory is full.
        """
        with self._faults():
            yield from self._steps(task, inputs)

    def close(self) -> None:
        """Drop all checkpoints."""
        self._loaded.clear()
        _free()

    def _steps(self, task: Task, inputs: Mapping[str, bytes]) -> Steps:
        extras = Extras(self._upscalers, self._options)
        match _kind(task):
            case Kind.TEXT_TO_IMAGE:
                return requests.text_to_image(self._tools, task, inputs)
            case Kind.IMAGE_TO_IMAGE:
                return requests.image_to_image(self._tools, task, inputs)
            case Kind.EXTRA_SINGLE_IMAGE:
                return extras.single(task, inputs)
            case Kind.EXTRA_BATCH_IMAGES:
                return extras.batch(task, inputs)
            case _:
                raise TaskFailed(f"tasktype: '{task.kind}' is not supported by this runtime")

    @property
    def _tools(self) -> Tools:
        return Tools(
            pipeline=self.current,
            checkpoints=self._checkpoints,
            upscalers=self._upscalers,
            options=self._options,
            previews=self._previews,
            second_pipeline=self._beside,
        )

    def _beside(self, requested: str) -> Pipeline:
        """Load a checkpoint beside the current one, which stays the current one.

        Raises:
            TaskFailed: there is none of this name, or the runtime is bound to another or keeps one
                checkpoint only.
        """
        current = next(reversed(self._loaded))
        if self._options.keep == 1 and self._path(requested) != current:
            raise TaskFailed(f"hr_checkpoint_name: {KEPT_ALONE}")
        self.load(requested)
        beside = self.current
        self._loaded.move_to_end(current)
        return beside

    @property
    def _upscalers(self) -> Upscalers:
        return Upscalers(self._checkpoints.upscalers, self._device, self._options.tile)

    @property
    def _shelf(self) -> Shelf:
        return self._checkpoints.stable_diffusion

    def _path(self, requested: str | None) -> Path:
        own = self._own_path()
        if requested is None:
            return own
        path = self._shelf.find(requested)
        if path != own and not self._spec.dynamic:
            raise TaskFailed(
                f"sd_model_checkpoint: runtime {self._spec.name} has {self._name(own)!r} only, "
                f"not {requested!r}: it is not set to load checkpoints on demand"
            )
        return path

    def _own_path(self) -> Path:
        if self._spec.checkpoint:
            return self._shelf.find(self._spec.checkpoint)
        names = self._shelf.names
        if not names:
            raise TaskFailed(f"there is no checkpoint in {self._shelf.folders[0].name}")
        return self._shelf.find(names[0])

    def _name(self, path: Path) -> str:
        return path.name if path.is_dir() else path.stem

    @contextmanager
    def _faults(self) -> Iterator[None]:
        """Raise a device's fault as `RuntimeUnavailable`: it may be gone at another try."""
        try:
            yield
        except AtelierError:
            raise
        except Exception as exc:
            device_fault = fault_behind(exc)
            if device_fault is None:
                raise
            self.broken = self.broken or device_fault is DeviceFault.DEVICE
            _free(device_fault)
            raise RuntimeUnavailable(device_fault.value) from exc

    def _make_room(self) -> None:
        while len(self._loaded) >= self._options.keep:
            self._loaded.popitem(last=False)
        _free()


def _kind(task: Task) -> Kind | None:
    try:
        return Kind(task.kind)
    except ValueError:
        return None


def _device(runtime: str, options: Options) -> torch.device:
    has_gpu = torch.cuda.is_available()
    if options.device == "cuda" and not has_gpu:
        raise SettingsError(f"runtime {runtime}: options.device is cuda, but there is no GPU")
    return torch.device("cuda" if has_gpu and options.device != "cpu" else "cpu")


def _free(after: DeviceFault | None = None) -> None:
    # After a fault of the device each call of CUDA raises, in the place of the error itself.
    if after is not DeviceFault.DEVICE and torch.cuda.is_available():
        torch.cuda.empty_cache()


def _silence_libraries() -> None:
    """Keep the libraries' progress bars and notices out of a replica's log."""
    import diffusers  # noqa: PLC0415  # after HF_HUB_OFFLINE is set
    import transformers  # noqa: PLC0415

    for library in (diffusers, transformers):
        library.utils.logging.disable_progress_bar()
        library.utils.logging.set_verbosity_error()
