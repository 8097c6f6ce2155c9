"""Keys that change in the environment, over a real Ray that has bound nothing of them."""

import os
import subprocess
import sys
import tempfile
import threading
from http.server import ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest
import yaml
from standardwebhooks import Webhook

from models.settings import Settings
from serve_app.local.emulator import EmbeddedAws, provision_sync
from tests.platform.conftest import CONFIG, SETTINGS, until
from tests.platform.keys import secret
from tests.platform.test_native import Receiver
from tests.platform.test_replicas import RAY
from tests.platform.watching import submit

OLD, NEW = "s3cr3t-taken-back", "s3cr3t-new"


@pytest.mark.ray
def test_replicas_that_start_anew_have_the_keys_of_their_environment(
    embedded_aws: EmbeddedAws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Change the key after the deployment was bound, which still holds the old one."""
    small = {"modelsRuntime": SETTINGS["modelsRuntime"][:1], "ingress": {"replicas": 1}}
    config = tmp_path / "config.yaml"
    rules = {"tasks": {"pollSeconds": 2}}  # for which its end waits
    config.write_text(yaml.safe_dump({**SETTINGS, **small, **rules, "stackName": "keys"}))
    for name, value in embedded_aws.environment.items():
        monkeypatch.setenv(name, value)
    provision_sync(Settings.read(config))
    with (
        tempfile.TemporaryDirectory(prefix="atelier-", ignore_cleanup_errors=True) as home,
        subprocess.Popen(
            [sys.executable, "-m", "tests.platform.keys", home, config, OLD, NEW],
            cwd=CONFIG.parent,
            env=os.environ | RAY,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as process,
    ):
        assert process.stdout is not None
        url = process.stdout.readline().strip()

        until(lambda: answer(url, OLD) != 503)  # it has not read the stored keys yet
        assert answer(url, OLD) == 401
        assert answer(url, NEW) == 200
        headers, body = called(url, NEW)
        assert Webhook(secret(NEW)).verify(body, headers)["type"] == "task.completed"
        process.communicate(timeout=60)
        found = [path.name for path in files(Path(home)) if holds_a_secret(path.read_bytes())]

        assert any(path.suffix == ".log" for path in files(Path(home)))
        assert found == []


def files(home: Path) -> list[Path]:
    """Return the files that Ray, Serve and the platform have written: logs, and what they keep."""
    return [path for path in home.rglob("*") if path.is_file() and not path.is_symlink()]


def holds_a_secret(text: bytes) -> bool:
    return any(each.encode() in text for key in (OLD, NEW) for each in (key, secret(key)))


def answer(url: str, key: str) -> int:
    return httpx.get(f"{url}/v1/tasks", headers={"x-api-key": key}, timeout=60).status_code


def called(url: str, key: str) -> tuple[dict[str, str], bytes]:
    """Submit a task with a callback, and return headers and body of ingest's call."""
    Receiver.calls = []
    with (
        httpx.Client(base_url=url, headers={"x-api-key": key}, timeout=60) as native,
        ThreadingHTTPServer(("127.0.0.1", 0), Receiver) as server,
    ):
        threading.Thread(target=server.serve_forever, daemon=True).start()
        callback = {"url": f"http://127.0.0.1:{server.server_port}/told"}
        submit(native, "called", runtime="sdruntime", callback=callback)
        until(lambda: Receiver.calls)
        server.shutdown()
    return Receiver.calls[0]
