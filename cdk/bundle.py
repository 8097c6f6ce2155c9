"""Lambda asset of the edge, built without Docker: our modules that it imports, and pinned packages.

The zip lies in a cache folder, named by the hash of all that goes into it: with the same content it
is neither built again nor a change to the function.
"""

import ast
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from hashlib import sha256
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

import platformdirs
import uv
from aws_cdk.aws_lambda import Runtime

from models.errors import SettingsError
from models.settings import Settings
from models.settings.edge import FILE, EdgeConfig

ROOT = Path(__file__).parents[1]
ENTRY = "serve_app.edge.handler"
PYTHON = ".".join(platform.python_version_tuple()[:2])
"""Python version of the function: the one that runs here, since modules are compiled here."""
PACKAGES = (
    "aiobotocore",
    "cronsim",
    "fastapi",
    "filetype",
    "jinja2",
    "mangum",
    "pydantic",
    "pydantic-settings",
    "pyyaml",
    "tzdata",
    "uvicorn",
)
_OURS = frozenset({"deployments", "ingest", "models", "serve_app"})
_SERVICES = frozenset({"dynamodb", "s3", "sns", "sqs"})
_PLATFORMS: Mapping[str, str] = {
    "arm64": "aarch64-manylinux2014",
    "x86_64": "x86_64-manylinux2014",
}
_HASHED = 32  # hexadecimal digits of a hash in a file's name
_KEPT = 10  # zips of the edge in the cache
_RECIPE = "2"  # raise it with code here that changes the zip of the same packages


def bundle(settings: Settings, cache: Path | None = None) -> Path:
    """Return the zip for these settings, built unless the cache has it.

    Raises:
        SettingsError: Lambda has no such Python.
    """
    check_python(PYTHON)
    cache = cache or platformdirs.user_cache_path("atelier")
    config = EdgeConfig.of(settings).model_dump_json().encode()
    files = [*sources(), *templates()]
    ours = {str(path.relative_to(ROOT)): path.read_bytes() for path in files}
    packages = _packages(settings.edge.architecture, cache)
    content = {**ours, FILE: config}
    # No file's name has a NUL, so none can run into the digest behind it.
    named = (name.encode() + b"\0" + sha256(body).digest() for name, body in content.items())
    zipped = cache / f"edge-{_hash([packages.name.encode(), *named])}.zip"
    if not zipped.exists():
        _write_zip(zipped, partial(_fill, content), onto=packages)
        _delete_old_zips(cache)
    return zipped


def check_python(python: str) -> None:
    """Check that Lambda has a Python version, such as ``3.12``.

    CloudFormation would refuse it late.

    Raises:
        SettingsError: Lambda has no such version.
    """
    if not hasattr(Runtime, f"PYTHON_{python.replace('.', '_')}"):
        raise SettingsError(f"Lambda has no Python {python} that CDK knows: deploy by an older one")


def sources(root: Path = ROOT) -> list[Path]:
    """List our files that the function imports, directly or through others, sorted."""
    found: set[Path] = set()
    pending = [ENTRY]
    while pending:
        name = pending.pop()
        path = _path(root, name)
        if path is not None and path not in found:
            found.add(path)
            # Python imports a module's packages first, so their files are needed as well.
            pending += [name.rpartition(".")[0], *_imports(path)]
    return sorted(found)


def templates(root: Path = ROOT) -> list[Path]:
    """List the template files of the packages that the function imports, sorted."""
    folders = {path.parent / "templates" for path in sources(root)}
    return sorted(path for folder in folders for path in folder.glob("*"))


def _path(root: Path, module: str) -> Path | None:
    if module.partition(".")[0] not in _OURS:
        return None
    folder = root.joinpath(*module.split("."))
    candidates = (folder.with_suffix(".py"), folder / "__init__.py")
    return next((path for path in candidates if path.exists()), None)


def _imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        match node:
            case ast.Import():
                yield from (alias.name for alias in node.names)
            case ast.ImportFrom(module=str(module)):
                yield module
                # It may be a module or a name in one; for a name no file is found.
                yield from (f"{module}.{alias.name}" for alias in node.names)


def _packages(architecture: str, cache: Path) -> Path:
    """Return the zip of the third-party packages, which all installations share."""
    pins = ROOT / "constraints.txt"
    parts = (_RECIPE, PYTHON, architecture, *PACKAGES, *sorted(_SERVICES), pins.read_text())
    zipped = cache / f"edge-packages-{_hash(part.encode() for part in parts)}.zip"
    if not zipped.exists():
        _write_zip(zipped, partial(_install, architecture, pins))
    return zipped


def _install(architecture: str, pins: Path, folder: Path) -> None:
    command = [uv.find_uv_bin(), "pip", "install", "--quiet", "--target", str(folder)]
    command += ["--python-version", PYTHON, "--python-platform", _PLATFORMS[architecture]]
    # Wheels alone: what is compiled here would be for the processor of this machine.
    command += ["--only-binary", ":all:", "--constraint", str(pins), *PACKAGES]
    subprocess.run(command, check=True)  # noqa: S603 - our own words only
    # botocore brings descriptions of 400 services, 25 MB.
    for each in (folder / "botocore" / "data").iterdir():
        if each.is_dir() and each.name not in _SERVICES:
            shutil.rmtree(each)
    shutil.rmtree(folder / "bin", ignore_errors=True)


def _fill(content: Mapping[str, bytes], folder: Path) -> None:
    for name, body in content.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)


def _write_zip(zipped: Path, fill: "partial[None]", onto: Path | None = None) -> None:
    """Zip what `fill` puts into a folder, behind the entries of the zip `onto`.

    The zip appears whole or not at all.
    """
    zipped.parent.mkdir(parents=True, exist_ok=True)
    # Beside its goal, since a file replaces another in one step within one file system only.
    with tempfile.TemporaryDirectory(dir=zipped.parent) as temporary:
        folder, new_zip = Path(temporary, "folder"), Path(temporary, zipped.name)
        folder.mkdir()
        fill(folder)
        _compile(folder)
        if onto is not None:
            shutil.copyfile(onto, new_zip)
        with ZipFile(new_zip, "a", ZIP_DEFLATED) as archive:
            for path in sorted(path for path in folder.rglob("*") if path.is_file()):
                archive.writestr(_entry(path.relative_to(folder)), path.read_bytes())
        new_zip.replace(zipped)


def _delete_old_zips(cache: Path) -> None:
    """Delete all but the newest zips of the cache: each has 15 MB, and each change makes one."""
    zips = sorted(
        cache.glob(f"edge-{'[0-9a-f]' * _HASHED}.zip"), key=lambda path: path.stat().st_mtime
    )
    for old in zips[:-_KEPT]:
        # Another build may have deleted it since.
        old.unlink(missing_ok=True)


def _compile(folder: Path) -> None:
    """Compile the modules, since Lambda's folder is read-only: each cold start would, for a second.

    A process of its own makes the bytecode reproducible: it depends on what the process has seen
    before, and on the order of its sets. The zip keeps no times, so bytecode is never checked by
    them.
    """
    # Without `-s` the bytecode would hold the temporary folder's name, new each time.
    command = [sys.executable, "-m", "compileall", "-q", "-f", "-s", str(folder)]
    command += ["--invalidation-mode", "unchecked-hash", str(folder)]
    subprocess.run(command, check=True, env={"PYTHONHASHSEED": "0"}, cwd=folder.parent)  # noqa: S603


def _entry(path: Path) -> ZipInfo:
    entry = ZipInfo(path.as_posix())  # dated 1980 by default: the same content makes the same zip
    # The mode of Unix stands in the upper half; `writestr` would make it 0600, so that the
    # function's own user could not read the file.
    entry.external_attr = 0o644 << 16
    entry.compress_type = ZIP_DEFLATED
    return entry


def _hash(parts: Iterable[bytes]) -> str:
    return sha256(b"".join(sha256(part).digest() for part in parts)).hexdigest()[:_HASHED]
