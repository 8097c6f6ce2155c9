"""Kinds of weights, told by the folder in which a file lies.

Known are the folders of a model bucket, which are the Web UI's, and ComfyUI's own. Capitals do not
count: buckets tell them apart, and people do not.
"""

from collections.abc import Iterable
from enum import StrEnum

OTHER = "other"
"""Word for the kind of what lies in no folder that is known."""


class Kind(StrEnum):
    """Kind of weights."""

    CHECKPOINT = "checkpoint"
    LORA = "lora"
    VAE = "vae"
    VAE_APPROX = "vae-approx"
    EMBEDDING = "embedding"
    HYPERNETWORK = "hypernetwork"
    CONTROLNET = "controlnet"
    UPSCALER = "upscaler"
    LATENT_UPSCALER = "latent-upscaler"
    FACE_RESTORER = "face-restorer"
    TEXT_ENCODER = "text-encoder"
    DIFFUSION_MODEL = "diffusion-model"
    CLIP_VISION = "clip-vision"
    STYLE_MODEL = "style-model"
    GLIGEN = "gligen"
    PHOTOMAKER = "photomaker"
    PIPELINE = "pipeline"
    MODEL_PATCH = "model-patch"
    AUDIO_ENCODER = "audio-encoder"


FOLDERS = {
    Kind.CHECKPOINT: ("Stable-diffusion", "checkpoints"),
    Kind.LORA: ("Lora", "loras", "LyCORIS"),
    Kind.VAE: ("VAE",),
    Kind.VAE_APPROX: ("VAE-approx", "vae_approx"),
    Kind.EMBEDDING: ("embeddings",),
    Kind.HYPERNETWORK: ("hypernetworks",),
    Kind.CONTROLNET: ("ControlNet", "t2i_adapter"),
    Kind.UPSCALER: ("ESRGAN", "RealESRGAN", "SwinIR", "LDSR", "ScuNET", "upscale_models"),
    Kind.LATENT_UPSCALER: ("latent_upscale_models",),
    Kind.FACE_RESTORER: ("GFPGAN", "Codeformer"),
    Kind.TEXT_ENCODER: ("text_encoders", "CLIP"),
    Kind.DIFFUSION_MODEL: ("diffusion_models", "unet"),
    Kind.CLIP_VISION: ("clip_vision",),
    Kind.STYLE_MODEL: ("style_models",),
    Kind.GLIGEN: ("gligen",),
    Kind.PHOTOMAKER: ("photomaker",),
    Kind.PIPELINE: ("diffusers",),
    Kind.MODEL_PATCH: ("model_patches",),
    Kind.AUDIO_ENCODER: ("audio_encoders",),
}
"""Folders of each kind; the first is the one that is made where a store has none of them."""

_KINDS = {folder.lower(): kind for kind, folders in FOLDERS.items() for folder in folders}


def kind_of_folder(folder: str) -> Kind | None:
    """Return the kind of what lies in a folder of this name; None if it is not known."""
    return _KINDS.get(folder.lower())


def kind_of(name: str) -> str:
    """Return the kind of a file by the first folder of its name."""
    folder, slash, _ = name.partition("/")
    return (kind_of_folder(folder) if slash else None) or OTHER


def folder_for(kind: Kind, names: Iterable[str]) -> str:
    """Choose the folder for a new file of a kind, in a store with files of these names.

    A folder of the kind that is there is taken, with the capitals that it has there.
    """
    there = _folders(names)
    own = sorted(folder for folder in there if kind_of_folder(folder) == kind)
    ranks = {folder.lower(): rank for rank, folder in enumerate(FOLDERS[kind])}
    return min(own, key=lambda folder: ranks[folder.lower()], default=FOLDERS[kind][0])


def as_there(folder: str, names: Iterable[str]) -> str:
    """Return a folder's name with the capitals that it has in a store with files of these names."""
    there = _folders(names)
    alike = sorted(each for each in there if each.lower() == folder.lower())
    return folder if folder in there or not alike else alike[0]


def _folders(names: Iterable[str]) -> set[str]:
    return {name.partition("/")[0] for name in names if "/" in name}
