"""Folders of a ComfyUI that the replica starts, and the arguments that lead it there.

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

from models.loopback import LOOPBACK
from models.runtimes.backend import Process

_PREFIX = "atelier-comfyui-"
_MIB = 2**20
_DATABASE = "--database-url"
_SORTS = {
    "checkpoints": ("checkpoints", "Stable-diffusion"),
    "loras": ("loras", "Lora", "LyCORIS"),
    "vae": ("vae",),
    "vae_approx": ("vae_approx", "VAE-approx"),
    "text_encoders": ("text_encoders", "clip"),
    "diffusion_models": ("diffusion_models", "unet"),
    "clip_vision": ("clip_vision",),
    "style_models": ("style_models",),
    "controlnet": ("controlnet", "t2i_adapter"),
    "upscale_models": ("upscale_models", "ESRGAN", "RealESRGAN", "SwinIR"),
    "latent_upscale_models": ("latent_upscale_models",),
    "embeddings": ("embeddings",),
    "hypernetworks": ("hypernetworks",),
    "gligen": ("gligen",),
    "photomaker": ("photomaker",),
    "diffusers": ("diffusers",),
    "model_patches": ("model_patches",),
    "audio_encoders": ("audio_encoders",),
}
"""Names of folders in a model bucket, ComfyUI's own and the Web UI's, by ComfyUI's name for what
they hold; capitals do not count. None holds code: of ``custom_nodes`` there nothing is loaded."""

Paths = Mapping[str, Sequence[Path]]
"""Folders of weights, by ComfyUI's names for what they hold."""


class Workspace:
    """Folders for inputs, outputs and temporary files, new with each ComfyUI."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.inputs = folder / "input"

    @classmethod
    def made(cls) -> "Workspace":
        """Make the folders, and remove those of replicas that were killed."""
        _remove_orphans(Path(tempfile.gettempdir()))
        folder = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-"))
        for name in ("input", "output", "temp"):
            (folder / name).mkdir()
        return cls(folder)

    def with_arguments(self, process: Process, paths: Paths, *, previews: bool) -> Process:
        """Add the arguments that the process's command lacks: loopback, port, folders."""
        arguments = {
            "--listen": LOOPBACK,
            "--port": "{port}",
            "--input-directory": str(self.inputs),
            "--output-directory": str(self.folder / "output"),
            "--temp-directory": str(self.folder / "temp"),
            "--preview-method": "latent2rgb" if previews else "none",
        }
        command = process.command
        if _has_database(process):  # replicas that share one would lock each other out
            arguments[_DATABASE] = f"sqlite:///{self.folder / 'comfyui.db'}"
            command = _without_memory_database(command)
        present = {word.partition("=")[0] for word in command}  # also `--port=8188`
        missing = [word for pair in arguments.items() if pair[0] not in present for word in pair]
        if paths:  # ComfyUI takes this option several times
            missing += ["--extra-model-paths-config", str(self._written(paths))]
        return process.model_copy(update={"command": (*command, *missing)})

    def clear(self, name: str) -> None:
        """Remove the inputs of one task."""
        shutil.rmtree(self.inputs / name, ignore_errors=True)

    def mib(self) -> int:
        """Count the MiB that were written; walks all files."""
        return sum(_sizes(self.folder)) // _MIB

    def remove(self) -> None:
        """Remove the folders with all that is in them."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _written(self, paths: Paths) -> Path:
        file = self.folder / "model-paths.yaml"
        lines = {
            # ComfyUI reads a folder from each line of one text.
            kind: "\n".join(str(path.absolute()) for path in folders)
            for kind, folders in paths.items()
        }
        file.write_text(yaml.safe_dump({"atelier": lines}))
        return file


def bucket_paths(checkpoints: Path | None) -> Paths:
    """Find the folders of the model bucket that there are, whatever capitals their names have."""
    if checkpoints is None or not checkpoints.is_dir():
        return {}
    there: dict[str, list[Path]] = {}
    for folder in sorted(checkpoints.iterdir()):
        if folder.is_dir():
            there.setdefault(folder.name.lower(), []).append(folder)
    return {
        sort: [folder for name in names for folder in there.get(name.lower(), ())]
        for sort, names in _SORTS.items()
    }


def merged(*several: Paths) -> Paths:
    """Join paths; folders of the first come first."""
    found: dict[str, list[Path]] = {}
    for paths in several:
        for kind, folders in paths.items():
            found.setdefault(kind, []).extend(folders)
    return {kind: folders for kind, folders in found.items() if folders}


def _has_database(process: Process) -> bool:
    """Tell whether this ComfyUI keeps a database; older ones refuse the option."""
    arguments = (process.folder or Path()) / "comfy" / "cli_args.py"
    return arguments.is_file() and _DATABASE in arguments.read_text()


def _without_memory_database(command: Sequence[str]) -> tuple[str, ...]:
    """Leave a database in memory out: ComfyUI 0.3 takes one, and 0.12 ends with an error."""
    kept: list[str] = []
    for word in command:
        is_value = bool(kept) and kept[-1] == _DATABASE
        if ":memory:" not in word or not (is_value or word.startswith(f"{_DATABASE}=")):
            kept.append(word)
        elif is_value:
            kept.pop()
    return tuple(kept)


def _remove_orphans(parent: Path) -> None:
    for folder in parent.glob(f"{_PREFIX}*"):
        owner = folder.name.removeprefix(_PREFIX).partition("-")[0]
        # A pid that was given out anew only keeps a folder longer.
        if owner.isdecimal() and not psutil.pid_exists(int(owner)):
            shutil.rmtree(folder, ignore_errors=True)


def _sizes(folder: Path) -> Iterator[int]:
    for path in folder.rglob("*"):
        try:
            yield path.stat().st_size
        except OSError:  # it has just been removed
            continue
