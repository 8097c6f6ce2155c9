"""Records what a server of the Web UI's API paints for the requests of the set.

`python -m tests.runtimes.diffusers.web_ui.record write FOLDER` writes the checkpoints for it;
`python -m tests.runtimes.diffusers.web_ui.record URL SERVER [NAME …]` sends the requests of a
server, such as AUTOMATIC1111, and keeps the pictures. `recorded/README.md` says how the server was set up.
"""

import base64
import io
import json
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
from PIL import Image

from models.task import Kind
from tests.runtimes.diffusers.ldm import single_file
from tests.runtimes.diffusers.web_ui import checkpoint
from tests.runtimes.diffusers.web_ui.answers import FOLDER, LIST, answers
from tests.runtimes.diffusers.web_ui.requests import Request, all_requests

_PATHS = {Kind.TEXT_TO_IMAGE: "txt2img", Kind.IMAGE_TO_IMAGE: "img2img"}
_V_PREDICTION = "model: {params: {parameterization: v}}\n"


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
                print(request.name, sum(map(len, pictures)))
    LIST.write_text(json.dumps(kept, indent=1, sort_keys=True) + "\n")


def write(folder: Path) -> None:
    """Write the checkpoints as single files; a server learns from a second file what v is."""
    for name in (checkpoint.EPSILON, checkpoint.V_PREDICTION):
        with TemporaryDirectory() as made:
            checkpoint.write(Path(made), name)
            single_file(Path(made), folder / f"{name}.safetensors")
            print(name, checkpoint.digest(Path(made)))
    (folder / f"{checkpoint.V_PREDICTION}.yaml").write_text(_V_PREDICTION)


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
