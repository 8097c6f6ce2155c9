"""Zip of the edge: it stands alone, is for its machine, and is built once."""

import shutil
import subprocess
import sys
from base64 import b64encode
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest

from cdk.bundle import PYTHON, ROOT, bundle, check_python, sources
from models.errors import SettingsError
from models.settings import Settings

KEY = "the key of somebody"
SECRET = "whsec_" + b64encode(b"known to nobody but tests").decode()
MACHINES = {"arm64": 0xB7, "x86_64": 0x3E}
"""Machine numbers in the header of an ELF file, by architecture."""


def settings(architecture: str = "x86_64", **more: Any) -> Settings:
    given = {
        "stackName": "bundled",
        "modelBucketArn": "arn:aws:s3:::weights",
        "modelsRuntime": [{"name": "sdruntime", "type": "fake"}],
        "apiKeys": [{"name": "ana", "key": KEY, "callbackSecret": SECRET}],
        "edge": {"architecture": architecture},
    }
    return Settings.read(args=given | more)


@pytest.fixture(scope="session")
def zipped() -> Path:
    return bundle(settings())


def test_a_python_that_lambda_does_not_have_is_refused_before_anything_is_made() -> None:
    check_python(PYTHON)
    with pytest.raises(SettingsError, match=r"no Python 3\.99"):
        check_python("3.99")


def test_it_stands_alone(zipped: Path, tmp_path: Path) -> None:
    """Python with the zip alone imports all of it, and is ready then."""
    with ZipFile(zipped) as archive:
        archive.extractall(tmp_path)
    code = f"""
import os, sys
os.environ["EDGE_KEY_NAMES"] = '[["a", "ana"]]'  # one of the stack's: no table is asked about it
sys.path.insert(0, {str(tmp_path)!r})
from serve_app.edge.handler import handler
files = [getattr(m, "__file__", None) or "" for m in list(sys.modules.values())]
foreign = [f for f in files if "site-packages" in f or f.startswith({str(ROOT)!r})]
page = handler(
    {{
        "resource": "/{{proxy+}}", "path": "/docs", "httpMethod": "GET", "body": None,
        "requestContext": {{"stage": "dev", "path": "/dev/docs", "identity": {{"apiKeyId": "a"}}}},
    }},
    None,
)
answer = handler(
    {{
        "resource": "/v1alpha2", "path": "/v1alpha2", "httpMethod": "POST", "body": "{{",
        "requestContext": {{
            "stage": "dev", "path": "/dev/v1alpha2", "identity": {{"apiKeyId": "a"}},
        }},
    }},
    None,
)
print(page["statusCode"], answer["statusCode"], answer["body"], foreign)
"""
    command = [sys.executable, "-I", "-S", "-W", "ignore", "-c", code]

    said = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path)

    assert said.stdout.strip() == "200 400 Invalid request format []"


@pytest.mark.parametrize("architecture", MACHINES)
def test_all_of_it_is_for_the_machine_that_runs_it(architecture: str) -> None:
    with ZipFile(bundle(settings(architecture))) as archive:
        compiled = [name for name in archive.namelist() if name.endswith(".so")]
        machines = {archive.read(name)[18] for name in compiled}

    assert len(compiled) > 5
    assert machines == {MACHINES[architecture]}


def test_it_is_small_and_compiled(zipped: Path) -> None:
    """Lambda loads it at each cold start."""
    with ZipFile(zipped) as archive:
        names = set(archive.namelist())

    assert zipped.stat().st_size < 20e6
    compiled = f".cpython-{sys.version_info.major}{sys.version_info.minor}.pyc"
    assert f"serve_app/edge/__pycache__/handler{compiled}" in names
    assert f"fastapi/__pycache__/applications{compiled}" in names


def test_only_what_the_function_imports_is_in_it(zipped: Path) -> None:
    named = {str(path.relative_to(ROOT)) for path in sources()}

    assert {"serve_app/edge/handler.py", "serve_app/api.py", "ingest/aws/sns.py"} <= named
    assert (
        not {"serve_app/app.py", "serve_app/assembly/workers.py", "deployments/replica.py"} & named
    )
    with ZipFile(zipped) as archive:
        assert named <= set(archive.namelist())


def test_no_secret_is_in_it(zipped: Path) -> None:
    with ZipFile(zipped) as archive:
        everything = b"".join(archive.read(name) for name in archive.namelist())

    assert b'"stackName":"bundled"' in everything
    assert KEY.encode() not in everything
    assert SECRET.encode() not in everything


def test_the_same_is_not_made_again(zipped: Path) -> None:
    made = zipped.stat().st_mtime_ns

    assert bundle(settings()) == zipped
    assert zipped.stat().st_mtime_ns == made


def test_a_change_gives_another_name(zipped: Path) -> None:
    changed = settings(APIGW={"throttle": {"rateLimit": 99}})

    assert bundle(changed) != zipped
    assert (
        bundle(settings(apiKeys=[{"name": "ana", "key": "new", "callbackSecret": SECRET}]))
        == zipped
    )


def test_the_same_is_made_to_the_byte(zipped: Path, tmp_path: Path) -> None:
    for packages in zipped.parent.glob("edge-packages-*.zip"):
        shutil.copy(packages, tmp_path)

    assert bundle(settings(), tmp_path).read_bytes() == zipped.read_bytes()


def test_imports_are_followed_through_modules_and_packages(tmp_path: Path) -> None:
    files = {
        "serve_app/__init__.py": "",
        "serve_app/edge/__init__.py": "",
        "serve_app/edge/handler.py": "from models import edge\nimport ingest.wiring",
        "models/__init__.py": "",
        "models/edge.py": "import json",
        "models/unused.py": "",
        "ingest/__init__.py": "",
        "ingest/wiring.py": "from models.edge import FILE\nimport boto3",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)

    found = {str(path.relative_to(tmp_path)) for path in sources(tmp_path)}

    assert found == files.keys() - {"models/unused.py"}
