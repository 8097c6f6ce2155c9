"""Helm repository on loopback, with one chart that has a definition in `crds/`."""

import io
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import yaml

from tests.cli.loopback import serving

_DEFINITION = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "rayservices.ray.io"},
    "spec": {"description": "as large as the real one" * 12_000},
}


class _Files(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as the library has it
        pass


@contextmanager
def chart_repository(folder: Path, name: str, version: str) -> Iterator[str]:
    """Serve the repository within the block; yield its URL."""
    folder.mkdir()
    chart = {"apiVersion": "v2", "name": name, "version": version}
    with tarfile.open(folder / "chart.tgz", "w:gz") as archive:
        _add(archive, f"{name}/Chart.yaml", chart)
        _add(archive, f"{name}/crds/ray.io_rayservices.yaml", _DEFINITION)
    listed = {"apiVersion": "v1", "entries": {name: [{**chart, "urls": ["chart.tgz"]}]}}
    (folder / "index.yaml").write_text(yaml.safe_dump(listed))
    with serving(ThreadingHTTPServer(("127.0.0.1", 0), partial(_Files, directory=folder))) as url:
        yield url


def _add(archive: tarfile.TarFile, name: str, content: object) -> None:
    body = yaml.safe_dump(content).encode()
    member = tarfile.TarInfo(name)
    member.size = len(body)
    archive.addfile(member, io.BytesIO(body))
