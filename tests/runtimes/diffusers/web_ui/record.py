"""Records what a server of the Web UI's API paints for the requests of the set.

`python -m tests.runtimes.diffusers.web_ui.record write FOLDER` writes the checkpoints for it;
`python -m tests.runtimes.diffusers.web_ui.record URL SERVER [NAME …]` sends the requests of a
server, such as AUTOMATIC1111, and keeps the pictures. `recorded/README.md` says how the server was
set up.
"""

import base64
import io
import json
import sys
from pathlib import Path
from typing import Any

import httpx
import yaml
from PIL import Image

from models.task import Kind
from tests.runtimes.diffusers.ldm import single_file
from tests.runtimes.diffusers.web_ui import checkpoint
from tests.runtimes.diffusers.web_ui.answers import FOLDER, LIST, answers
from tests.runtimes.diffusers.web_ui.requests import Request, all_requests

_PATHS = {Kind.TEXT_TO_IMAGE: "txt2img", Kind.IMAGE_TO_IMAGE: "img2img"}


def record(url: str, server: str, names: list[str]) -> None:
    """Send the requests, of these names or all, and keep their pictures."""
    known = {request.name for request in all_requests()}
    kept = {name: answer for name, answer in answers().items() if name in known}
    with httpx.Client(base_url=url, timeout=120, trust_env=False) as client:
        for request in all_requests():
            if request.server == server and (not names or request.name in names):
                pictures = _send(client, request)
                for index, picture in enumerate(pictures):
                    image = Image.open(io.BytesIO(picture)).convert("RGB")
                    # Written anew: smaller, and without the text that names the server's machine.
                    image.save(FOLDER / f"{request.name}.{index}.png", optimize=True)
                kept[request.name] = {"request": request.digest, "pictures": len(pictures)}
    LIST.write_text(json.dumps(kept, indent=1, sort_keys=True) + "\n")


def write(folder: Path) -> None:
    """Write the checkpoints as single files, and what else a server must know of their sizes."""
    for name in (checkpoint.EPSILON, checkpoint.V_PREDICTION):
        made = folder / "folders" / name
        checkpoint.write(made, name)
        single_file(made, folder / f"{name}.safetensors", rests=False)
        configuration = _configuration(made, name == checkpoint.V_PREDICTION)
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(configuration))


def _configuration(folder: Path, is_v: bool) -> dict[str, Any]:
    """Return the checkpoint's sizes in the form of the first Stable Diffusion's code."""
    unet = {
        "image_size": 32,
        "in_channels": 4,
        "out_channels": 4,
        "model_channels": checkpoint.WIDTH,
        "attention_resolutions": [1],
        "num_res_blocks": 1,
        "channel_mult": [1, 2],
        "num_heads": 8,
        "use_spatial_transformer": True,
        "transformer_depth": 1,
        "context_dim": checkpoint.WIDTH,
        "legacy": False,
    }
    vae = {
        "double_z": True,
        "z_channels": 4,
        "resolution": 256,
        "in_channels": 3,
        "out_ch": 3,
        "ch": checkpoint.WIDTH,
        "ch_mult": [1, 1, 1, 1],
        "num_res_blocks": 1,
        "attn_resolutions": [],
        "dropout": 0.0,
    }
    first_stage = {"embed_dim": 4, "ddconfig": vae, "lossconfig": {"target": "torch.nn.Identity"}}
    diffusion = {
        "parameterization": "v" if is_v else "eps",
        "linear_start": 0.00085,
        "linear_end": 0.012,
        "timesteps": 1000,
        "first_stage_key": "jpg",
        "cond_stage_key": "txt",
        "image_size": 64,
        "channels": 4,
        "conditioning_key": "crossattn",
        "scale_factor": 0.18215,
        "use_ema": False,
        "unet_config": _target("diffusionmodules.openaimodel.UNetModel", unet),
        "first_stage_config": {"target": "ldm.models.autoencoder.AutoencoderKL"}
        | {"params": first_stage},
        "cond_stage_config": _target(
            "encoders.modules.FrozenCLIPEmbedder", {"version": str(folder / "text_encoder")}
        ),
    }
    return {"model": {"target": "ldm.models.diffusion.ddpm.LatentDiffusion", "params": diffusion}}


def _target(name: str, parameters: dict[str, Any]) -> dict[str, Any]:
    return {"target": f"ldm.modules.{name}", "params": parameters}


def _send(client: httpx.Client, request: Request) -> list[bytes]:
    answer = client.post(f"/sdapi/v1/{_PATHS[Kind(request.kind)]}", json=request.sent)
    answer.raise_for_status()
    body: dict[str, Any] = answer.json()
    info = json.loads(body["info"])
    if info["sd_model_name"] != request.checkpoint:
        raise SystemExit(f"{request.name} was painted with {info['sd_model_name']}")
    return [base64.b64decode(picture) for picture in body["images"]]


if __name__ == "__main__":
    if sys.argv[1] == "write":
        write(Path(sys.argv[2]))
    else:
        record(sys.argv[1], sys.argv[2], sys.argv[3:])
