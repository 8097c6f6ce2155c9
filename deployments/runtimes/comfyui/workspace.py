"""The folders of a ComfyUI that the replica starts, and the arguments that lead it there.

Its cache of results names files, and it numbers new ones after those that there are, so a file
that is taken away would turn up as another task's. What it wrote is therefore dropped as a whole,
when it ends.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import psutil
import yaml

from models.runtimes.backend import Process

_NAME = "atelier-comfyui-"
_MIB = 2**20
_SORTS = {
    "checkpoints": ("Stable-diffusion",),
    "loras": ("Lora",),
    "vae": ("VAE",),
    "vae_approx": ("VAE-approx",),
    "text_encoders": ("CLIP",),
    "controlnet": ("ControlNet",),
    "upscale_models": ("ESRGAN", "RealESRGAN", "SwinIR"),
    "embeddings": ("embeddings",),
    "hypernetworks": ("hypernetworks",),
}
"""ComfyUI's names for the folders of the model bucket."""

Paths = Mapping[str, Sequence[Path]]


class Workspace:
    """Folders for inputs, outputs and temporary files, new with each ComfyUI."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.inputs = folder / "input"

    @classmethod
    def made(cls) -> "Workspace":
        """Make one, and remove those of replicas that were killed."""
        _remove_orphans(Path(tempfile.gettempdir()))
        folder = Path(tempfile.mkdtemp(prefix=f"{_NAME}{os.getpid()}-"))
        for name in ("input", "output", "temp"):
            (folder / name).mkdir()
        return cls(folder)

    def started_here(self, process: Process, paths: Paths, *, previews: bool) -> Process:
        """The process with the arguments that its command lacks: loopback, port, folders."""
        arguments = {
            "--listen": "127.0.0.1",
            "--port": "{port}",
            "--input-directory": str(self.inputs),
            "--output-directory": str(self.folder / "output"),
            "--temp-directory": str(self.folder / "temp"),
            "--preview-method": "latent2rgb" if previews else "none",
        }
        if _has_database(process):  # beside the user's files replicas would lock each other out
            arguments["--database-url"] = f"sqlite:///{self.folder / 'comfyui.db'}"
        given = {word.partition("=")[0] for word in process.command}
        lacking = [word for pair in arguments.items() if pair[0] not in given for word in pair]
        if paths:  # ComfyUI takes several of these
            lacking += ["--extra-model-paths-config", str(self._written(paths))]
        return process.model_copy(update={"command": (*process.command, *lacking)})

    def clear(self, name: str) -> None:
        """Remove the inputs of one task."""
        shutil.rmtree(self.inputs / name, ignore_errors=True)

    def mib(self) -> int:
        """How much was written."""
        return sum(_sizes(self.folder)) // _MIB

    def remove(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    def _written(self, paths: Paths) -> Path:
        file = self.folder / "model-paths.yaml"
        lines = {
            sort: "\n".join(str(path.absolute()) for path in folders)
            for sort, folders in paths.items()
        }
        file.write_text(yaml.safe_dump({"atelier": lines}))
        return file


def bucket_paths(checkpoints: Path | None) -> Paths:
    """The folders of the model bucket that there are, by ComfyUI's names."""
    if checkpoints is None:
        return {}
    return {
        sort: [checkpoints / name for name in names if (checkpoints / name).is_dir()]
        for sort, names in _SORTS.items()
    }


def merged(*several: Paths) -> Paths:
    """All of them: those of the first come first."""
    found: dict[str, list[Path]] = {}
    for paths in several:
        for sort, folders in paths.items():
            found.setdefault(sort, []).extend(folders)
    return {sort: folders for sort, folders in found.items() if folders}


def _has_database(process: Process) -> bool:
    """Whether this ComfyUI keeps a database; older ones, which have none, refuse the option."""
    arguments = (process.folder or Path()) / "comfy" / "cli_args.py"
    return arguments.is_file() and "--database-url" in arguments.read_text()


def _remove_orphans(parent: Path) -> None:
    for folder in parent.glob(f"{_NAME}*"):
        owner = folder.name.removeprefix(_NAME).partition("-")[0]
        if owner.isdecimal() and not psutil.pid_exists(int(owner)):
            shutil.rmtree(folder, ignore_errors=True)


def _sizes(folder: Path) -> Iterator[int]:
    for path in folder.rglob("*"):
        try:
            yield path.stat().st_size
        except OSError:  # it has just been removed
            continue
