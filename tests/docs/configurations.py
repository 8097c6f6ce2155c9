"""Configurations that documents show, read by the platform's own settings."""

from pathlib import Path
from typing import Any

import yaml
from typer.testing import CliRunner

from cli.cost import prices
from cli.main import app
from models.settings import Settings
from tests.docs.pages import ROOT

ELSEWHERE = "/srv"
"""Folder in which documents have the reader's files; tests put those into a folder of their own."""
_LEAST: dict[str, Any] = {
    "stackName": "documents",
    "checkpoints": str(ROOT / "samples/models"),
    "modelsRuntime": [{"name": "sdruntime", "type": "diffusers", "gpus": 0}],
}
"""Smallest configuration, onto which a fragment is merged."""


NO_WEIGHTS = (2).to_bytes(8, "little") + b"{}"
"""The least file in the format of safetensors: a header's length, and a header."""


class WrongConfiguration(Exception):
    """The configuration would be refused."""


def check(text: str, folder: Path) -> None:
    """Have a block's configuration checked as its kind is: settings, Helm values, or prices.

    Raises:
        WrongConfiguration: it is refused; the message says by which key.
    """
    given = yaml.safe_load(text)
    if "prices" in given:
        path = folder / "prices.yaml"
        path.write_text(text)
        prices.prices_of_file(path)
    elif "config" in given:
        check_settings(given["config"], folder)
    else:
        check_settings(given, folder)


def check_settings(given: dict[str, Any], folder: Path) -> Settings:
    """The settings of these keys, the missing ones being the least that is right.

    Raises:
        WrongConfiguration: `atelier config check` says no.
    """
    least = {k: v for k, v in _LEAST.items() if k != "checkpoints" or "modelBucketArn" not in given}
    text = yaml.safe_dump(least | given).replace(ELSEWHERE, str(folder / "srv"))
    path = folder / "config.yaml"
    path.write_text(without_gpus(text))
    furnish(yaml.safe_load(text), folder)
    options = ["--elsewhere"] if _is_of_an_image(yaml.safe_load(text), folder) else []
    done = CliRunner().invoke(app, ["config", "check", str(path), *options])
    path.write_text(text)
    if done.exit_code:
        raise WrongConfiguration(done.output)
    return Settings.read(path)


def without_gpus(text: str) -> str:
    """The configuration for a machine without GPUs, as the one that tests it may be."""
    given = yaml.safe_load(text)
    for runtime in given["modelsRuntime"]:
        runtime["gpus"] = 0
    return yaml.safe_dump(given)


def _is_of_an_image(given: dict[str, Any], folder: Path) -> bool:
    """Tell whether a server's folder is one that an image has and no reader does."""
    backends = (each.get("options", {}).get("backend", {}) for each in given["modelsRuntime"])
    return any(not Path(each.get("folder", folder)).is_relative_to(folder) for each in backends)


def furnish(given: dict[str, Any], folder: Path) -> None:
    """Make empty files in this folder where a configuration names what its reader has there."""
    models = folder / given.get("checkpoints", ROOT)
    for runtime in given["modelsRuntime"]:
        if models.resolve().is_relative_to(folder.resolve()):  # never the repository's own
            _make(models / "Stable-diffusion" / runtime.get("modelFilename", "any.safetensors"))
        backend = runtime.get("options", {}).get("backend", {})
        server = Path(backend.get("folder", ROOT))
        if server.is_relative_to(folder):
            for word in backend["command"]:
                _make(server / word)


def _make(path: Path) -> None:
    if path.suffix in {".py", ".safetensors"} or path.name == "python":
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o755)
    if path.suffix == ".safetensors":
        path.write_bytes(NO_WEIGHTS)
