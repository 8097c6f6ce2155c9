"""The double's own node classes for a real ComfyUI, which loads this as a pack of nodes."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import folder_paths  # type: ignore[import-not-found]  # ComfyUI's own
import torch
from comfy.utils import ProgressBar  # type: ignore[import-not-found]
from PIL import Image

Inputs = dict[str, dict[str, Any]]
_TEXT: Any = ("STRING", {})
_STEPS = ("INT", {"min": 1, "max": 10_000})
_BYTES = ("INT", {"min": 0, "max": 2**27})


class Slow:
    """Takes its steps as a sampler does, with previews."""

    RETURN_TYPES = ("IMAGE",)
    FUNCTION = "run"
    CATEGORY = "tests"

    @classmethod
    def INPUT_TYPES(cls) -> Inputs:  # noqa: N802 - ComfyUI's name
        return {"required": {"latent_image": ("IMAGE",), "steps": _STEPS}}

    def run(self, latent_image: Any, steps: int) -> tuple[Any]:
        bar = ProgressBar(steps)
        for step in range(1, steps + 1):
            time.sleep(0.02)
            preview = Image.new("RGB", (8, 8), (0, 0, step % 256))
            bar.update_absolute(step, steps, ("PNG", preview, 512))
        return (latent_image,)


class Raise:
    """Fails as it is told to, the first time that it is told so."""

    RETURN_TYPES = ("IMAGE",)
    FUNCTION = "run"
    CATEGORY = "tests"
    raised: ClassVar[set[str]] = set()

    @classmethod
    def INPUT_TYPES(cls) -> Inputs:  # noqa: N802
        return {"required": {"image": ("IMAGE",), "type": _TEXT, "message": _TEXT}}

    def run(self, image: Any, type: str, message: str) -> tuple[Any]:  # noqa: A002
        if message not in self.raised:
            self.raised.add(message)
            kinds: dict[str, Callable[[str], Exception]] = {
                "torch.OutOfMemoryError": torch.OutOfMemoryError
            }
            raise kinds.get(type, ValueError)(message)
        return (image,)


class Save:
    """Writes any bytes under any name, and tells them as any kind of output."""

    RETURN_TYPES = ()
    FUNCTION = "run"
    OUTPUT_NODE = True
    CATEGORY = "tests"

    @classmethod
    def INPUT_TYPES(cls) -> Inputs:  # noqa: N802
        required = {"kind": _TEXT, "file": _TEXT, "hex": _TEXT}
        return {"required": required, "optional": {"more": _BYTES}}

    def run(self, kind: str, file: str, hex: str, more: int = 0) -> dict[str, Any]:  # noqa: A002
        folder, _, name = file.rpartition("/")
        path = Path(folder_paths.get_output_directory()) / folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes.fromhex(hex) + bytes(more))
        told = {"filename": name, "subfolder": folder, "type": "output", "fullpath": str(path)}
        return {"ui": {kind: [told], "animated": [True]}}


NODE_CLASS_MAPPINGS = {"Slow": Slow, "Raise": Raise, "Save": Save}
